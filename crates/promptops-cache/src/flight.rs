use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::CacheKey;

/// One fetch for all who want the same key at the same time.
///
/// The first caller fetches, in its own task; the others wait for what it gets. If it is dropped or
/// panics, one of the others takes over. A clone shares the flights.
pub struct SingleFlight<T> {
    flights: Arc<Mutex<Flights<T>>>,
}

type Flights<T> = HashMap<CacheKey, watch::Receiver<Option<T>>>;

/// Who fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// This caller.
    Leader,
    /// Another one, for this caller too.
    Follower,
}

impl<T> Clone for SingleFlight<T> {
    fn clone(&self) -> Self {
        Self { flights: Arc::clone(&self.flights) }
    }
}

impl<T> Default for SingleFlight<T> {
    fn default() -> Self {
        Self { flights: Arc::default() }
    }
}

impl<T> fmt::Debug for SingleFlight<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SingleFlight").field("flights", &self.lock().len()).finish()
    }
}

impl<T> SingleFlight<T> {
    /// No flights yet.
    pub fn new() -> Self {
        Self::default()
    }

    fn lock(&self) -> MutexGuard<'_, Flights<T>> {
        self.flights.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a fetch of a key is under way.
    pub fn is_under_way(&self, key: &CacheKey) -> bool {
        self.lock().contains_key(key)
    }

    /// Lets those who come from now on begin flights of their own: what is fetched now may be from
    /// before something was written. Those who wait already are not disturbed.
    pub fn forget(&self) {
        self.lock().clear();
    }
}

impl<T: Clone> SingleFlight<T> {
    /// The outcome of `fetch`, or of the one under way for the key. An outcome that is not `shared`,
    /// such as that the leader's own time was over, is the leader's alone: one of the others fetches
    /// then.
    ///
    /// # Cancel safety
    /// A follower that is dropped leaves the flight alone; a leader hands over.
    pub async fn run<F: Future<Output = T>>(
        &self,
        key: &CacheKey,
        shared: impl Fn(&T) -> bool,
        fetch: impl FnOnce() -> F,
    ) -> (T, Role) {
        loop {
            let seat = {
                let mut flights = self.lock();
                if let Some(under_way) = flights.get(key) {
                    Err(under_way.clone())
                } else {
                    let (tell, told) = watch::channel(None);
                    flights.insert(key.clone(), told.clone());
                    Ok(Leader { flights: self, key, tell, told })
                }
            };
            match seat {
                Ok(leader) => {
                    let outcome = fetch().await;
                    if shared(&outcome) {
                        leader.tell.send_replace(Some(outcome.clone()));
                    }
                    return (outcome, Role::Leader);
                }
                Err(mut told) => {
                    if let Ok(outcome) = told.wait_for(Option::is_some).await
                        && let Some(outcome) = outcome.clone()
                    {
                        return (outcome, Role::Follower);
                    }
                    // The leader is gone without an outcome to share.
                }
            }
        }
    }
}

/// The one who fetches. However it ends, the flight is over.
struct Leader<'s, T> {
    flights: &'s SingleFlight<T>,
    key: &'s CacheKey,
    tell: watch::Sender<Option<T>>,
    /// By which the flight is known from one that has begun after [`SingleFlight::forget`].
    told: watch::Receiver<Option<T>>,
}

impl<T> Drop for Leader<'_, T> {
    fn drop(&mut self) {
        let mut flights = self.flights.lock();
        if flights.get(self.key).is_some_and(|told| told.same_channel(&self.told)) {
            flights.remove(self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::CacheScope;

    fn key(name: &str) -> CacheKey {
        let mut key = CacheKey::new(CacheScope::new("r", None), "get_prompt");
        key.prompt = Some(name.to_owned());
        key
    }

    /// Many callers of one key; the first `lost` leaders are dropped, or panic, while they fetch.
    async fn herd(callers: usize, lost: usize, panics: bool) -> usize {
        let flights: SingleFlight<usize> = SingleFlight::new();
        let fetches = Arc::new(AtomicUsize::new(0));
        let running: Vec<_> = (0..callers)
            .map(|_| {
                let (flights, fetches) = (flights.clone(), Arc::clone(&fetches));
                tokio::spawn(async move {
                    let fetch = || async {
                        let number = fetches.fetch_add(1, Ordering::SeqCst);
                        tokio::task::yield_now().await;
                        if number < lost {
                            assert!(!panics, "as the test wants");
                            std::future::pending::<()>().await;
                        }
                        7
                    };
                    flights.run(&key("a"), |_| true, fetch).await.0
                })
            })
            .collect();
        for _ in 0..lost {
            tokio::task::yield_now().await;
            tokio::task::yield_now().await;
            if !panics {
                // Whoever leads is the first that has not ended.
                running.iter().find(|task| !task.is_finished()).unwrap().abort();
            }
        }
        let mut ended = 0;
        for task in running {
            ended += usize::from(task.await.is_ok_and(|outcome| outcome == 7));
        }
        assert_eq!(ended, callers - lost);
        assert_eq!(flights.lock().len(), 0);
        fetches.load(Ordering::SeqCst)
    }

    #[tokio::test]
    async fn a_herd_fetches_once() {
        assert_eq!(herd(1000, 0, false).await, 1);
    }

    #[tokio::test]
    async fn a_leader_that_is_dropped_or_panics_hands_over() {
        assert_eq!(herd(100, 1, false).await, 2);
        assert_eq!(herd(100, 1, true).await, 2);
        assert_eq!(herd(100, 3, true).await, 4);
    }

    #[tokio::test]
    async fn keys_do_not_wait_for_one_another() {
        let flights: SingleFlight<u32> = SingleFlight::new();
        let other = flights.clone();
        let slow = tokio::spawn(async move {
            other.run(&key("slow"), |_| true, std::future::pending::<u32>).await
        });
        tokio::task::yield_now().await;
        assert_eq!(flights.run(&key("quick"), |_| true, async || 1).await, (1, Role::Leader));
        slow.abort();
    }

    #[tokio::test]
    async fn who_comes_after_a_write_does_not_join_a_flight_from_before() {
        let flights: SingleFlight<u32> = SingleFlight::new();
        let other = flights.clone();
        let (give, answer) = tokio::sync::oneshot::channel();
        let before = tokio::spawn(async move {
            let fetch = async || answer.await.unwrap();
            other.run(&key("a"), |_| true, fetch).await
        });
        tokio::task::yield_now().await;
        assert!(flights.is_under_way(&key("a")));
        flights.forget();
        assert_eq!(flights.run(&key("a"), |_| true, async || 2).await, (2, Role::Leader));
        give.send(1).unwrap();
        assert_eq!(before.await.unwrap(), (1, Role::Leader));
        assert!(!flights.is_under_way(&key("a")));
    }

    #[tokio::test]
    async fn what_is_the_leaders_alone_is_not_shared() {
        let flights: SingleFlight<Result<u32, &str>> = SingleFlight::new();
        let other = flights.clone();
        let leader = tokio::spawn(async move {
            let fetch = async || {
                tokio::task::yield_now().await;
                tokio::task::yield_now().await;
                Err("my time is over")
            };
            other.run(&key("a"), Result::is_ok, fetch).await
        });
        tokio::task::yield_now().await;
        assert_eq!(flights.run(&key("a"), Result::is_ok, async || Ok(2)).await.0, Ok(2));
        assert_eq!(leader.await.unwrap().0, Err("my time is over"));
    }
}
