//! What each thread has of its own, for an owner that all threads share.

use std::any::Any;
use std::cell::RefCell;
use std::sync::{Arc, Weak};

type Shared = dyn Any + Send + Sync;

thread_local! {
    static OF_THIS_THREAD: RefCell<Vec<Known>> = const { RefCell::new(Vec::new()) };
}

struct Known {
    owner: Weak<Shared>,
    value: Option<Arc<Shared>>,
}

/// What this thread has of its own for `owner`, made by `make` when it is first asked for; `None` where `make` gave nothing.
/// It goes with its owner, when the thread next makes something for another, or with the thread.
pub fn of_this_thread<T, V>(owner: &Arc<T>, make: impl FnOnce() -> Option<V>) -> Option<Arc<V>>
where
    T: Any + Send + Sync,
    V: Any + Send + Sync,
{
    let known = OF_THIS_THREAD.with_borrow(|all| {
        // The address of an owner that is gone is not given to another as long as it is known here.
        let mut all = all.iter();
        let mine = all.find(|it| std::ptr::addr_eq(it.owner.as_ptr(), Arc::as_ptr(owner)));
        mine.map(|known| known.value.clone())
    });
    let value = known.unwrap_or_else(|| {
        let value = make().map(|value| Arc::new(value) as Arc<Shared>);
        let owner: Arc<Shared> = Arc::clone(owner) as Arc<Shared>;
        OF_THIS_THREAD.with_borrow_mut(|all| {
            all.retain(|known| known.owner.strong_count() > 0);
            all.push(Known {
                owner: Arc::downgrade(&owner),
                value: value.clone(),
            });
        });
        value
    });
    value.and_then(|value| value.downcast().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_thread_makes_one_for_each_owner() {
        let (one, two) = (Arc::new("one"), Arc::new("two"));
        let first = of_this_thread(&one, || Some(1)).expect("made");
        assert_eq!(of_this_thread(&one, || Some(2)), Some(Arc::clone(&first)));
        assert_eq!(of_this_thread(&two, || None::<i32>), None);
        assert_eq!(of_this_thread(&two, || Some(3)), None, "asked once");
        let elsewhere = Arc::clone(&one);
        let there = std::thread::spawn(move || of_this_thread(&elsewhere, || Some(4)));
        assert_eq!(there.join().expect("made").as_deref(), Some(&4));
        drop(one);
        of_this_thread(&Arc::new("three"), || Some(5));
        assert_eq!(Arc::strong_count(&first), 1, "it went with its owner");
    }
}
