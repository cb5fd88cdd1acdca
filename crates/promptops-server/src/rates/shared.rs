//! The use of keys by all servers together: the same algorithm in Redis, one round trip a request.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use deadpool_redis::redis::aio::MultiplexedConnection;
use deadpool_redis::redis::{AsyncConnectionConfig, Client, RedisError, Script};
use promptops_types::{Secret, TimeSource};

use super::{Asked, Limits, WINDOWS};
use crate::clock::within;

/// Longest time for a step.
const STEP: Duration = Duration::from_millis(100);

/// Longest time to connect. No request waits for it but the one that does.
const CONNECT: Duration = Duration::from_secs(1);

/// How long Redis is left alone after a failure.
const LEFT_ALONE: Duration = Duration::from_secs(1);

/// GCRA (ITU-T I.371): each window has the time at which nothing of it would be used; a request moves it
/// on by its share, unless that is further ahead than the whole window. Either all windows are moved, or
/// none. The time is that of Redis, so the servers' clocks do not matter.
const SCRIPT: &str = r"
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local moved = {}
for i = 1, #KEYS do
  local share, window = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
  local unused = tonumber(redis.call('GET', KEYS[i]) or '') or now
  if unused < now then unused = now end
  local next = unused + share
  if next - window > now then return {0, i, math.ceil(next - window - now)} end
  moved[i] = {next, math.floor((now + window - next) / share)}
end
local answer = {1}
for i = 1, #KEYS do
  local ahead = math.ceil((moved[i][1] - now) / 1000)
  redis.call('SET', KEYS[i], string.format('%.0f', moved[i][1]), 'PX', ahead)
  answer[i + 1] = moved[i][2]
end
return answer
";

/// Redis, for as long as it answers.
pub(super) struct Shared {
    client: Client,
    script: Script,
    connection: Mutex<Option<MultiplexedConnection>>,
    /// Held by the request that makes one.
    connecting: tokio::sync::Mutex<()>,
    time: Arc<dyn TimeSource>,
    /// Until when it is left alone, in milliseconds.
    alone_until: AtomicU64,
}

impl Shared {
    pub(super) fn new(url: &Secret, time: Arc<dyn TimeSource>) -> Result<Self, String> {
        // What it says does not have the URL in it, which has the password.
        let client = Client::open(url.expose())
            .map_err(|error| format!("the URL of Redis cannot be used: {error}"))?;
        Ok(Self {
            client,
            script: Script::new(SCRIPT),
            connection: Mutex::new(None),
            connecting: tokio::sync::Mutex::new(()),
            time,
            alone_until: AtomicU64::new(0),
        })
    }

    fn now(&self) -> u64 {
        u64::try_from(self.time.monotonic().as_millis()).unwrap_or(u64::MAX)
    }

    /// One request of a key; none where Redis does not answer.
    pub(super) async fn ask(&self, id: &str, limits: Limits) -> Option<Asked> {
        if self.now() < self.alone_until.load(Relaxed) {
            return None;
        }
        match self.answer(id, limits).await {
            Ok(answer) => read(&answer?, limits),
            Err(reason) => {
                let pause = u64::try_from(LEFT_ALONE.as_millis()).unwrap_or(u64::MAX);
                self.alone_until.store(self.now().saturating_add(pause), Relaxed);
                *self.held() = None;
                tracing::warn!(%reason, "limits are counted in this process alone for now");
                None
            }
        }
    }

    /// Nothing while another request connects.
    async fn answer(&self, id: &str, limits: Limits) -> Result<Option<Vec<i64>>, String> {
        let Some(mut connection) = self.connection().await? else { return Ok(None) };
        let mut call = self.script.prepare_invoke();
        for (at, name) in super::NAMES.iter().enumerate() {
            // Braces: a cluster keeps what is between them in one place.
            call.key(format!("promptops:rate:{{{id}}}:{name}"));
            let window = WINDOWS[at].as_micros();
            let share = window / u128::from(limits.0[at].get());
            call.arg(share.max(1).to_string()).arg(window.to_string());
        }
        let told = |error: RedisError| error.to_string();
        let answer = within(STEP, call.invoke_async(&mut connection)).await;
        answer.ok_or_else(|| format!("no answer in {STEP:?}"))?.map(Some).map_err(told)
    }

    async fn connection(&self) -> Result<Option<MultiplexedConnection>, String> {
        let held = self.held().clone();
        if held.is_some() {
            return Ok(held);
        }
        // Others do not wait while one connects: their requests are counted here.
        let Ok(_connecting) = self.connecting.try_lock() else { return Ok(None) };
        let config = AsyncConnectionConfig::new().set_response_timeout(Some(STEP));
        let connecting = self.client.get_multiplexed_async_connection_with_config(&config);
        let made = within(CONNECT, connecting).await;
        let made = made.ok_or_else(|| format!("no connection in {CONNECT:?}"))?;
        let made = made.map_err(|error| error.to_string())?;
        *self.held() = Some(made.clone());
        Ok(Some(made))
    }

    fn held(&self) -> MutexGuard<'_, Option<MultiplexedConnection>> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the script answers.
fn read(answer: &[i64], limits: Limits) -> Option<Asked> {
    let number = |value: i64| u32::try_from(value.max(0)).unwrap_or(u32::MAX);
    let mut asked = Asked::default();
    match answer {
        [1, remaining @ ..] if remaining.len() == WINDOWS.len() => {
            for (at, remaining) in remaining.iter().enumerate() {
                asked.left[at] = Some(limits.left(at, number(*remaining)));
            }
        }
        [0, at, micros] => {
            let at = usize::try_from(*at).ok()?.checked_sub(1).filter(|at| *at < WINDOWS.len())?;
            asked.left[at] = Some(limits.left(at, 0));
            asked.refused = Some((at, Duration::from_micros(micros.unsigned_abs())));
        }
        _ => return None,
    }
    Some(asked)
}
