//! One list of cases that both backends pass: files, and Apache Kafka. Where Kafka must differ, the case says so.

use super::support::Backend;
use super::{faces, groups, parity, stream};

macro_rules! cases {
    ($($module:ident::$case:ident,)*) => {
        mod files {
            use super::*;

            $(#[tokio::test]
            async fn $case() {
                $module::$case(&Backend::Files).await;
            })*
        }

        /// Runs each case on these brokers, and says how each ended.
        #[cfg(feature = "kafka")]
        pub(super) async fn on_kafka(brokers: &str) -> Vec<(&'static str, bool)> {
            let mut ended = Vec::new();
            $({
                let backend = Backend::Kafka(brokers.to_owned());
                super::kafka::clear(&backend).await;
                let case = tokio::spawn(async move { $module::$case(&backend).await });
                ended.push((stringify!($case), case.await.is_ok()));
            })*
            ended
        }
    };
}

cases! {
    faces::records_come_back_as_they_were_sent_also_after_a_restart,
    faces::keys_choose_the_partition_and_records_without_one_go_round,
    faces::consuming_goes_on_with_what_comes,
    faces::bytes_and_waits_are_kept,
    faces::a_consumer_that_asks_for_what_is_not_there_is_told,
    faces::topics_are_described,
    faces::a_record_may_have_ten_mebibytes,
    parity::topics_are_made_and_refused_alike,
    parity::what_is_not_there_is_told_alike,
    parity::records_are_taken_and_refused_alike,
    parity::what_one_face_takes_the_other_gives,
    parity::groups_are_the_same_on_both_faces,
    groups::many_members_come_and_go_and_every_record_is_read,
    groups::bad_commits_change_nothing,
    stream::answers_come_in_order_and_mistakes_end_nothing,
    stream::each_message_is_answered_while_the_stream_is_open,
    stream::a_stop_answers_what_was_taken_and_says_why_it_ends,
}
