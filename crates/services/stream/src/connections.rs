//! The process's connections: one lasting session that numbers and feeds, the rest for subscribers.

use std::ops::Deref;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use deadpool_postgres::{ClientWrapper, Object};
use runtime::postgres::{Connection, Database, DatabaseError};

use crate::store;

/// Where connections come from. Clones share everything.
///
/// With a pool of one connection the session is lent to subscribers too: statements of several tasks follow each other
/// on it, and each is a transaction of its own.
#[derive(Clone, Debug)]
pub(crate) struct Connections {
    database: Database,
    /// Present where the session is the only connection.
    shared: Option<Arc<RwLock<Option<Arc<Session>>>>>,
}

impl Connections {
    /// `pool_size` is that of `database`.
    pub(crate) fn new(database: Database, pool_size: usize) -> Self {
        Self {
            database,
            shared: (pool_size == 1).then(Arc::default),
        }
    }

    /// Opens the session, once the database can be asked. The former one must be closed.
    pub(crate) async fn open_session(&self) -> Result<Arc<Session>, DatabaseError> {
        self.database.reachable().await;
        let session = Arc::new(Session(Some(self.database.get().await?)));
        store::prepare_session(&session).await?;
        if let Some(shared) = &self.shared {
            *shared.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&session));
        }
        Ok(session)
    }

    /// Lends the session no more; it closes when the last borrower is done.
    pub(crate) fn close_session(&self) {
        if let Some(shared) = &self.shared {
            *shared.write().unwrap_or_else(PoisonError::into_inner) = None;
        }
    }

    /// A connection for a statement or two.
    pub(crate) async fn get(&self) -> Result<Lease, DatabaseError> {
        let Some(shared) = &self.shared else {
            let connection = self.database.connection().await?;
            return Ok(Lease::Pooled(connection));
        };
        self.database.check()?;
        let session = shared
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let none = || DatabaseError::Pool("the only connection is not open".into());
        session.map(Lease::Shared).ok_or_else(none)
    }

    /// Whether what subscribers read can be read, within `limit`.
    pub(crate) async fn ping(&self, limit: Duration) -> Result<(), DatabaseError> {
        let read = async {
            let lease = self.get().await?;
            store::standing(&lease).await?;
            lease.give_back();
            Ok(())
        };
        let answer = tokio::time::timeout(limit, read).await;
        let answer = answer.unwrap_or(Err(DatabaseError::NoAnswer { limit }));
        answer.inspect_err(|error| self.database.note(error))
    }
}

/// A connection that numbers and feeds. When the last owner drops it, it is closed rather than given back: the numberer's
/// lock and the session's settings end with it.
#[derive(Debug)]
pub(crate) struct Session(Option<Object>);

impl Deref for Session {
    type Target = ClientWrapper;

    fn deref(&self) -> &ClientWrapper {
        self.0.as_ref().expect("present until dropped")
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if let Some(object) = self.0.take() {
            drop(Object::take(object));
        }
    }
}

/// A connection on loan. Dropped before [`Lease::give_back`], it cancels its statement and is closed, unless it is the
/// session: after an error, or when nobody waits for the answer any more, the next borrower shall not get it.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "not worth an allocation a statement"
)]
pub(crate) enum Lease {
    Pooled(Connection),
    Shared(Arc<Session>),
}

impl Lease {
    /// Its statements have ended well.
    pub(crate) fn give_back(self) {
        if let Self::Pooled(connection) = self {
            connection.give_back();
        }
    }
}

impl Deref for Lease {
    type Target = ClientWrapper;

    fn deref(&self) -> &ClientWrapper {
        match self {
            Self::Pooled(connection) => connection,
            Self::Shared(session) => session,
        }
    }
}
