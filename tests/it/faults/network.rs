//! Row 13, all at once: a network that refuses, resets, cuts, stalls, delays and splits.

use std::sync::Arc;
use std::time::Duration;

use crate::quiet;
use fastrand::Rng;
use promptops_client::{CacheConfig, ErrorKind, NewPrompt, PromptOpsClient};
use promptops_transport::TokioClock;
use promptops_types::TimeSource;

use super::{row, runs, seed, since};
use crate::chaos::{ChaosProxy, Odds};
use crate::over_http::serve;

const ROUGH: Odds = Odds { refused: 50, reset: 30, cut: 30, stalled: 20, delayed: 200, split: 300 };

#[tokio::test(flavor = "multi_thread")]
async fn row_13_through_a_rough_network_every_call_ends_right_or_with_a_typed_error() {
    let registry = serve().await;
    let direct = PromptOpsClient::builder().base_url(format!("http://{registry}/v1"));
    let direct = direct.build().unwrap();
    for number in 0..20 {
        let prompt = NewPrompt::new(format!("P {number}"), format!("text {number}"));
        direct.create_prompt(prompt).await.unwrap();
    }
    let proxy = Arc::new(ChaosProxy::start(registry, seed(), ROUGH).await);
    let timeout = Duration::from_millis(500);
    let client = quiet()
        .base_url(format!("http://{}/v1", proxy.address))
        .timeout(timeout)
        .cache(CacheConfig::none())
        .build()
        .unwrap();
    let (calls, callers) = (runs(8000), 8);
    let running: Vec<_> = (0..callers)
        .map(|caller| {
            let client = client.clone();
            tokio::spawn(async move {
                let mut chance = Rng::with_seed(seed().wrapping_add(caller));
                let (mut right, mut latest) = (0, Duration::ZERO);
                for _ in 0..calls / usize::try_from(callers).unwrap() {
                    let number = chance.u32(..20);
                    let started = TokioClock.monotonic();
                    let outcome = client.get_prompt(format!("p-{number}")).await;
                    latest = latest.max(since(started));
                    match outcome {
                        Ok(prompt) => {
                            assert_eq!(prompt.content, format!("text {number}"), "another's");
                            right += 1;
                        }
                        Err(error) => assert!(
                            matches!(error.kind(), ErrorKind::Network | ErrorKind::Timeout)
                                && error.is_retryable(),
                            "{error}"
                        ),
                    }
                }
                (right, latest)
            })
        })
        .collect();
    let (mut right, mut latest) = (0, Duration::ZERO);
    for caller in running {
        let (more, late) = caller.await.unwrap();
        right += more;
        latest = latest.max(late);
    }
    assert!(proxy.faults() > 0 && right > calls / 2, "{right} of {calls} right");
    let late = latest.saturating_sub(timeout);
    let measured = format!(
        "{calls} ended, {right} right, {} faults, none wrong; {:.1} ms late at most",
        proxy.faults(),
        late.as_secs_f64() * 1e3
    );
    let promised = "0 wrong, 0 hung, within timeout + 50 ms";
    row(13, "all at once, by a proxy", promised, measured, late <= Duration::from_millis(50));
}
