//! Topics with consumer groups.
