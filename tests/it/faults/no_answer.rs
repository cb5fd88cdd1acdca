//! Row 13: no answer, at any stage: the call ends at its deadline.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use fastrand::Rng;
use http::{Request, Response};
use promptops_transport::test_util::{RawServer, Step};
use promptops_transport::{
    Clock, HyperTransport, Middleware, Next, Pipeline, Resolver, SharedTransport, TokioClock,
    Transport, TransportError, TransportErrorKind, from_fn,
};
use promptops_types::{RetryConfig, TimeSource};
use tokio::net::{TcpSocket, TcpStream};

use super::{row, runs, seed, since};

#[derive(Debug)]
struct Silent;

impl Resolver for Silent {
    async fn resolve(&self, _: &str) -> io::Result<Vec<IpAddr>> {
        std::future::pending().await
    }
}

/// A port whose queue of connections is full: the system answers no more of them.
async fn black_hole() -> (SocketAddr, Vec<TcpStream>, tokio::net::TcpListener) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut waiting = Vec::new();
    loop {
        tokio::select! {
            biased;
            stream = TcpStream::connect(address) => waiting.push(stream.unwrap()),
            () = TokioClock.sleep(Duration::from_millis(100)) => break,
        }
    }
    (address, waiting, listener)
}

#[derive(Debug)]
struct Hangs;

impl Middleware for Hangs {
    async fn handle(
        &self,
        _: Request<Bytes>,
        _: Next<'_>,
    ) -> Result<Response<Bytes>, TransportError> {
        std::future::pending().await
    }
}

fn over(transport: impl Transport) -> Pipeline {
    Pipeline::new(SharedTransport::new(transport), &RetryConfig::default())
}

#[tokio::test(flavor = "multi_thread")]
async fn row_13_a_call_without_an_answer_ends_at_its_deadline() {
    let hyper = || over(HyperTransport::new().unwrap());
    let stalls =
        |steps: Vec<Step>| async move { RawServer::start(move |_| steps.clone()).await.unwrap() };
    let head = || Step::write("HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n");
    let dripping = Step::Drip("x".repeat(99).into(), Duration::from_millis(40));
    let tls = stalls(vec![Step::Stall]).await;
    let no_head = stalls(vec![Step::Read, Step::Stall]).await;
    let no_body = stalls(vec![Step::Read, head(), Step::Stall]).await;
    let drips = stalls(vec![Step::Read, head(), dripping]).await;
    let (hole, _waiting, _listener) = black_hole().await;
    let dns = HyperTransport::builder().resolver(Silent).build().unwrap();
    let stages: Vec<(&str, Pipeline, String)> = vec![
        ("DNS", over(dns), "http://prompts.example/".to_owned()),
        ("connect", hyper(), format!("http://{hole}/")),
        ("TLS", hyper(), format!("https://{}/", tls.address())),
        ("head", hyper(), no_head.url("/")),
        ("body", hyper(), no_body.url("/")),
        ("a body that drips", hyper(), drips.url("/")),
        (
            "a transport that never wakes",
            over(from_fn(|_| std::future::pending())),
            "http://h/".to_owned(),
        ),
        ("a middleware that never wakes", hyper().per_call(Hangs), "http://h/".to_owned()),
    ];
    let calls = runs(320) / stages.len();
    let mut chance = Rng::with_seed(seed());
    let mut latest = Duration::ZERO;
    let mut ended = 0;
    for (stage, pipeline, url) in &stages {
        let running: Vec<_> = (0..calls)
            .map(|_| {
                let (pipeline, url) = (pipeline.clone(), url.clone());
                let timeout = Duration::from_millis(chance.u64(30..300));
                tokio::spawn(async move {
                    let mut request = Request::get(&url).body(Bytes::new()).unwrap();
                    let started = TokioClock.monotonic();
                    request.extensions_mut().insert(pipeline.deadline(timeout));
                    let outcome = pipeline.send(request).await;
                    (outcome, since(started + timeout))
                })
            })
            .collect();
        for call in running {
            let (outcome, late) = call.await.unwrap();
            let error = outcome.unwrap_err();
            assert_eq!(error.kind(), TransportErrorKind::Timeout, "{stage}: {error}");
            latest = latest.max(late);
            ended += 1;
        }
    }
    let undisturbed = lateness(calls, &mut chance).await;
    let measured = format!(
        "{ended} of {ended}, {:.1} ms late at most; a bare timer here {:.1} ms",
        latest.as_secs_f64() * 1e3,
        undisturbed.as_secs_f64() * 1e3
    );
    let fault = "no answer at DNS, connect, TLS, head, body; never woken";
    row(
        13,
        fault,
        "300 of 300 within timeout + 50 ms",
        measured,
        latest <= Duration::from_millis(50),
    );
}

/// How late bare timers are, as many at once.
async fn lateness(timers: usize, chance: &mut Rng) -> Duration {
    let running: Vec<_> = (0..timers)
        .map(|_| {
            let wait = Duration::from_millis(chance.u64(30..300));
            tokio::spawn(async move {
                let started = TokioClock.monotonic();
                TokioClock.sleep(wait).await;
                since(started + wait)
            })
        })
        .collect();
    let mut latest = Duration::ZERO;
    for timer in running {
        latest = latest.max(timer.await.unwrap());
    }
    latest
}

#[tokio::test(start_paused = true)]
async fn row_13_no_call_hangs_whatever_the_transport_does() {
    let calls = runs(200_000);
    let chance = Arc::new(std::sync::Mutex::new(Rng::with_seed(seed())));
    let transport = from_fn(move |_: Request<Bytes>| {
        let (fate, wait) = {
            let mut chance = chance.lock().unwrap();
            (chance.u32(..8), Duration::from_millis(chance.u64(..2000)))
        };
        async move {
            match fate {
                0 | 1 => std::future::pending::<()>().await,
                2 | 3 => TokioClock.sleep(wait).await,
                _ => {}
            }
            let kind = match fate {
                4 => TransportErrorKind::Connect,
                5 => TransportErrorKind::Interrupted,
                6 => TransportErrorKind::Timeout,
                _ => {
                    let response = Response::builder().status(if fate == 7 { 503 } else { 200 });
                    return Ok(response.body(Bytes::new()).unwrap());
                }
            };
            Err(TransportError::new(kind, "as chance says"))
        }
    });
    let stages = over(transport).circuit_breaker();
    let mut running = tokio::task::JoinSet::new();
    let mut late = 0;
    for call in 0..calls {
        let stages = stages.clone();
        running.spawn(async move {
            let timeout = Duration::from_secs(1);
            let mut request = Request::get("http://h/").body(Bytes::new()).unwrap();
            request.extensions_mut().insert(stages.deadline(timeout));
            let started = TokioClock.monotonic();
            let _ = stages.send(request).await;
            // Tokio's timer is exact to a millisecond.
            since(started) > timeout + Duration::from_millis(1)
        });
        if call % 1000 == 999 {
            TokioClock.sleep(Duration::from_millis(100)).await;
        }
    }
    while let Some(is_late) = running.join_next().await {
        late += usize::from(is_late.unwrap());
    }
    assert_eq!(late, 0);
    let measured = format!("0 hung, 0 late in {calls}, in virtual time");
    row(
        13,
        "a transport that hangs, fails or answers by chance",
        "0 hung in 200 000",
        measured,
        true,
    );
}
