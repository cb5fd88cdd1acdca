//! The cache in Redis, on a real one that the tests start: the contract, over each way to connect, and
//! what processes that share it see of each other.

pub(crate) mod server;

use std::time::Duration;

use deadpool_redis::redis::Value;
use promptops_cache::{
    CacheBackend, CacheKey, CacheScope, Entry, EntryKind, RedisCache, SharedCache, contract,
};
use promptops_client::{
    CacheConfig, CacheLevel, ConfigPatch, Error, ErrorKind, NewPrompt, PromptOpsClient,
    PromptUpdate, Source,
};
use promptops_transport::{Clock, TokioClock};
use rcgen::{CertificateParams, Issuer, KeyPair};

use self::server::Server;
use crate::cache::{Registry, Time, builder, content, is};

pub(crate) fn cache(url: &str) -> RedisCache {
    RedisCache::builder(url).build().unwrap()
}

pub(crate) fn key(prompt: &str) -> CacheKey {
    let mut key = CacheKey::new(CacheScope::new("https://r.example", None), "get_prompt");
    key.prompt = Some(prompt.to_owned());
    key
}

/// Waits for something that is to come about by itself, within seconds.
pub(crate) async fn comes(mut about: impl AsyncFnMut() -> bool) -> bool {
    for _ in 0..1000 {
        if about().await {
            return true;
        }
        TokioClock.sleep(Duration::from_millis(10)).await;
    }
    false
}

#[tokio::test]
async fn redis_keeps_the_contract() {
    let server = Server::start().await;
    contract::check(&cache(&server.url())).await;
    let three = RedisCache::builder(server.url()).prefix("other:").connections(3).build().unwrap();
    contract::check(&SharedCache::new(three)).await;
}

#[tokio::test]
async fn a_user_a_database_and_a_socket_are_those_of_the_url() {
    let user = ["--user", "po", "on", ">pass~word", "~promptops:*", "&promptops:*", "+@all"];
    let server = Server::with(&[&user[..], &["--user", "default", "off"]].concat()).await;
    let socket = format!("unix://{}?db=3&user=po&pass=pass~word", server.socket().display());
    let tcp = format!("redis://po:pass~word@127.0.0.1:{}/2", server.port);
    for url in [socket, tcp.clone()] {
        contract::check(&cache(&url)).await;
    }
    let error = cache(&tcp.replace("word", "wrong")).ping().await.unwrap_err().to_string();
    assert!(error.contains("assword") && !error.contains("wrong"), "{error}");
}

#[tokio::test]
async fn a_connection_with_tls_is_checked() {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let ca_key = KeyPair::generate().unwrap();
    let ca = params.self_signed(&ca_key).unwrap();
    let issuer = Issuer::new(params, ca_key);
    let host_key = KeyPair::generate().unwrap();
    let host = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let host = host.signed_by(&host_key, &issuer).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: String| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let (cert, key_file) = (write("cert", host.pem()), write("key", host_key.serialize_pem()));
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let server = Server::with(&[
        "--tls-port",
        &port.to_string(),
        "--tls-cert-file",
        &cert,
        "--tls-key-file",
        &key_file,
        "--tls-ca-cert-file",
        &cert,
        "--tls-auth-clients",
        "no",
    ])
    .await;
    let url = format!("rediss://localhost:{port}");
    let trusting = RedisCache::builder(url.as_str()).ca_certificate(ca.pem()).build().unwrap();
    // A handshake may take longer than a call waits for it.
    assert!(comes(async || trusting.ping().await.is_ok()).await);
    contract::check(&trusting).await;
    let doubting = cache(&url);
    let mut error = String::new();
    let is_told = comes(async || {
        error = doubting.ping().await.unwrap_err().to_string();
        error.contains("certificate")
    });
    assert!(is_told.await, "{error}");
    drop(server);
}

#[tokio::test]
async fn a_cluster_keeps_the_contract() {
    let mut nodes = Vec::new();
    for _ in 0..3 {
        // The bus has the port that is 10 000 above.
        let port = loop {
            let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
            if port.port() < 50_000 {
                break port.port();
            }
        };
        nodes.push(Server::on(port, &["--cluster-enabled", "yes"]).await);
    }
    for (number, node) in nodes.iter().enumerate() {
        let (first, last) = (number * 5461, (number * 5461 + 5460).min(16383));
        let last = if number == 2 { 16383 } else { last };
        let range = [first.to_string(), last.to_string()];
        node.ask::<Value>(&["CLUSTER", "ADDSLOTSRANGE", &range[0], &range[1]]);
        node.ask::<Value>(&["CLUSTER", "MEET", "127.0.0.1", &nodes[0].port.to_string()]);
    }
    let is_well = comes(async || {
        nodes.iter().all(|node| {
            let info: String = node.ask(&["CLUSTER", "INFO"]);
            info.contains("cluster_state:ok") && info.contains("cluster_known_nodes:3")
        })
    });
    assert!(is_well.await);
    let hosts: Vec<_> = nodes.iter().map(|node| format!("127.0.0.1:{}", node.port)).collect();
    let cache = cache(&format!("redis-cluster://{}", hosts.join(",")));
    contract::check(&cache).await;
    let scopes = ["a", "b", "c", "d", "e", "f"].map(|url| CacheScope::new(url, None));
    for scope in &scopes {
        let key = CacheKey { scope: scope.clone(), ..key("p") };
        let ticket = cache.get(&key).await.unwrap().ticket;
        let entry = Entry::new(EntryKind::Moving, "x");
        cache.put(&key, &entry.into(), ticket).await.unwrap();
    }
    cache.flush().await.unwrap();
    let used = nodes.iter().filter(|node| !node.names("promptops:*").is_empty()).count();
    assert!(used > 1, "scopes are on several nodes");
}

#[tokio::test]
async fn a_wrong_setting_is_named_and_no_secret_is_shown() {
    for (url, prefix, names) in [
        ("redis://:hunter2@", "p:", "cache.redis_url"),
        ("http://:hunter2@h", "p:", "cache.redis_url"),
        ("hunter2", "p:", "cache.redis_url"),
        ("redis://:hunter2@h", "p{x}:", "cache.redis_prefix"),
    ] {
        let error = RedisCache::builder(url).prefix(prefix).build().unwrap_err();
        let text = format!("{error} {error:?}");
        assert!(text.contains(names) && !text.contains("hunter2"), "{text}");
    }
    let fine = RedisCache::builder("redis://:hunter2@h").build().unwrap();
    assert!(!format!("{fine:?}").contains("hunter2"));
}

/// A client of a process of its own, as it were.
fn process(
    registry: &Registry,
    time: &Time,
    server: &Server,
    level: CacheLevel,
) -> PromptOpsClient {
    let mut config = CacheConfig::hybrid(server.url());
    config.level = level;
    builder(registry, time).cache(config).build().unwrap()
}

/// How many processes hear what is invalidated.
pub(crate) fn subscribers(server: &Server) -> i64 {
    let told: (String, i64) = server.ask(&["PUBSUB", "NUMSUB", "promptops:1:invalidations"]);
    told.1
}

/// Waits until what was kept beside the calls is there.
async fn written(server: &Server, entries: usize) {
    let there = async || server.names("promptops:*:e:*").len() >= entries;
    assert!(comes(there).await, "{:?}", server.names("*"));
}

#[tokio::test]
async fn processes_share_what_one_has_fetched() {
    let (server, registry, time) = (Server::start().await, Registry::default(), Time::new());
    for level in [CacheLevel::Redis, CacheLevel::Hybrid] {
        server.ask::<Value>(&["FLUSHALL"]);
        registry.asked();
        let one = process(&registry, &time, &server, level);
        let other = process(&registry, &time, &server, level);
        let first = one.get_prompt("a").fetch().await.unwrap();
        written(&server, 1).await;
        time.pass(7);
        let far = other.get_prompt("a").fetch().await.unwrap();
        assert_eq!((far.source, far.age), (Source::Far, Duration::from_secs(7)));
        assert_eq!((&far.value, &far.etag), (&first.value, &first.etag));
        assert_eq!(registry.requests(), 1);
        let again = other.get_prompt("a").fetch().await.unwrap();
        let is_near = level == CacheLevel::Hybrid;
        assert_eq!(again.source, if is_near { Source::Near } else { Source::Far });
        assert_eq!(again.age, Duration::from_secs(7), "the age goes with the entry");
        let stats = other.cache_stats();
        assert_eq!((stats.hits, stats.misses, stats.failures), (2, 0, 0), "{stats:?}");
    }
}

#[tokio::test]
async fn what_is_stale_in_redis_is_served_while_it_is_refreshed() {
    let (server, registry, time) = (Server::start().await, Registry::default(), Time::new());
    let client = process(&registry, &time, &server, CacheLevel::Redis);
    content(&client, "a").await;
    written(&server, 1).await;
    time.pass(310);
    registry.publish();
    assert_eq!(content(&client, "a").await, is("text 0", Source::Stale));
    let fresh = async || content(&client, "a").await == is("text 1", Source::Far);
    assert!(comes(fresh).await);
    time.pass(600);
    registry.fail(503);
    assert_eq!(content(&client, "a").await, is("text 1", Source::Stale), "stale_if_error");
    assert_eq!(registry.requests(), 3);
}

#[tokio::test]
async fn that_a_prompt_is_missing_is_remembered_for_others_too() {
    let (server, registry, time) = (Server::start().await, Registry::default(), Time::new());
    registry.fail(404);
    let one = process(&registry, &time, &server, CacheLevel::Redis);
    let error = one.get_prompt("a").await.unwrap_err();
    written(&server, 1).await;
    let other = process(&registry, &time, &server, CacheLevel::Redis);
    let far = other.get_prompt("a").await.unwrap_err();
    assert_eq!((far.kind(), far.status()), (ErrorKind::PromptNotFound, Some(404)));
    assert_eq!(far.message(), error.message());
    assert_eq!(registry.requests(), 1);
    registry.fail(0);
    one.create_prompt(NewPrompt::new("A", "x")).await.unwrap();
    time.pass(5);
    assert_eq!(content(&other, "a").await.1, Source::Network);
}

#[tokio::test]
async fn a_write_in_one_process_is_seen_in_another_at_once() {
    let (server, registry, time) = (Server::start().await, Registry::default(), Time::new());
    let one = process(&registry, &time, &server, CacheLevel::Hybrid);
    let other = process(&registry, &time, &server, CacheLevel::Hybrid);
    for id in ["a", "a-b"] {
        content(&one, id).await;
        content(&other, id).await;
    }
    written(&server, 2).await;
    one.list_prompts().await.unwrap();
    other.list_prompts().await.unwrap();
    // Until it is subscribed it cannot hear.
    assert!(comes(async || subscribers(&server) == 2).await);
    registry.publish();
    one.update_prompt("a", PromptUpdate::new().content("x")).await.unwrap();
    assert!(comes(async || content(&other, "a").await.0 == "text 1").await);
    registry.asked();
    assert_eq!(content(&other, "a-b").await, is("text 0", Source::Near), "another prompt");
    other.list_prompts().await.unwrap();
    assert_eq!(registry.asked(), ["GET /prompts"]);
    one.clear_cache().await.unwrap();
    let forgotten = async || content(&other, "a-b").await.0 == "text 1";
    assert!(comes(forgotten).await, "everything");
}

#[tokio::test]
async fn without_the_subscription_a_near_entry_is_fresh_for_five_seconds() {
    let (mut server, registry, time) = (Server::start().await, Registry::default(), Time::new());
    let client = process(&registry, &time, &server, CacheLevel::Hybrid);
    content(&client, "a").await;
    assert!(comes(async || subscribers(&server) == 1).await);
    // The process hears what it has told itself, too: what is kept before that is forgotten.
    let kept = async || {
        client.clear_cache().await.unwrap();
        content(&client, "a").await;
        time.pass(200);
        content(&client, "a").await.1 == Source::Near
    };
    assert!(comes(kept).await);
    server.kill();
    let noticed = async || content(&client, "a").await.1 == Source::Network;
    assert!(comes(noticed).await);
    let fresh = async || content(&client, "a").await.1 == Source::Near;
    time.pass(4);
    assert_eq!(content(&client, "a").await.1, Source::Near);
    time.pass(2);
    assert_eq!(content(&client, "a").await.1, Source::Stale);
    assert!(comes(fresh).await);
    server.restart().await;
    time.pass(6);
    assert!(comes(async || subscribers(&server) == 1).await);
    // What was kept while nothing was heard is not believed longer when it is heard again.
    assert_eq!(content(&client, "a").await.1, Source::Stale);
    assert!(comes(fresh).await);
    time.pass(60);
    assert_eq!(content(&client, "a").await.1, Source::Near);
}

#[tokio::test]
async fn tenants_that_share_a_redis_never_see_each_other() {
    let (server, time) = (Server::start().await, Time::new());
    let (one, other) = (Registry::default(), Registry::default());
    other.publish();
    let client = |registry: &Registry, url: &str, key: &str, project: &str| {
        let builder = builder(registry, &time).base_url(url).api_key(key).project(project);
        builder.cache(CacheConfig::redis(server.url())).build().unwrap()
    };
    let url = "https://registry.example/v1";
    let first = client(&one, url, "po_a", "p");
    assert_eq!(content(&first, "a").await, is("text 0", Source::Network));
    written(&server, 1).await;
    for different in [
        client(&other, url, "po_b", "p"),
        client(&other, "https://registry.example/v2", "po_a", "p"),
        client(&other, url, "po_a", "q"),
    ] {
        assert_eq!(content(&different, "a").await, is("text 1", Source::Network));
    }
    assert_eq!(content(&client(&other, url, "po_a", "p"), "a").await, is("text 0", Source::Far));
    let everything: Vec<String> = server.names("*");
    assert!(everything.iter().all(|name| !name.contains("po_a")), "{everything:?}");
}

#[tokio::test]
async fn what_could_not_be_invalidated_is_before_redis_is_read_again() {
    let (server, registry, time) = (Server::start().await, Registry::default(), Time::new());
    let client = process(&registry, &time, &server, CacheLevel::Redis);
    content(&client, "a").await;
    written(&server, 1).await;
    assert_eq!(content(&client, "a").await.1, Source::Far);
    server.stop();
    registry.publish();
    client.update_prompt("a", PromptUpdate::new().content("x")).await.unwrap();
    let error = client.clear_cache().prompt("b").await.unwrap_err();
    assert!(matches!(&error, Error::Cache { cache_type, .. } if cache_type == "redis"), "{error}");
    assert_eq!(content(&client, "a").await, is("text 1", Source::Network));
    server.go_on();
    let back = async || content(&client, "a").await == is("text 1", Source::Far);
    assert!(comes(back).await);
    let stats = client.cache_stats();
    assert!(stats.failures > 0 && stats.discarded == 0, "{stats:?}");
}

#[tokio::test]
async fn levels_can_be_changed_while_calls_are_under_way() {
    let (server, registry, time) = (Server::start().await, Registry::default(), Time::new());
    let client = process(&registry, &time, &server, CacheLevel::Memory);
    content(&client, "a").await;
    let level =
        |cache: CacheConfig| client.update_config(&ConfigPatch::new().cache(cache)).unwrap();
    registry.fail(2);
    let under_way = tokio::spawn(client.get_prompt("slow").into_future());
    tokio::task::yield_now().await;
    let mut hybrid = CacheConfig::memory().ttl(Duration::from_secs(10));
    hybrid.level = CacheLevel::Hybrid;
    level(hybrid.clone());
    registry.fail(0);
    assert_eq!(content(&client, "a").await.1, Source::Near, "what was cached is kept");
    content(&client, "b").await;
    written(&server, 1).await;
    time.pass(11);
    assert_eq!(content(&client, "a").await.1, Source::Stale, "another ttl");
    level(CacheConfig::memory().max_size(1));
    assert_eq!(client.cache_stats().size, 1);
    let hits = client.cache_stats().hits;
    level(CacheConfig::none());
    assert_eq!(content(&client, "a").await.1, Source::Network);
    assert_eq!((client.cache_stats().hits, client.cache_stats().size), (hits, 0));
    level(hybrid);
    content(&client, "b").await;
    let wrong = ConfigPatch::new().cache(CacheConfig::memory().max_size(0));
    let error = client.update_config(&wrong).unwrap_err();
    assert!(error.message().starts_with("`cache.max_size`"), "{error}");
    assert_eq!(client.config().cache.level, CacheLevel::Hybrid, "nothing was changed");
    under_way.abort();
}

#[tokio::test]
async fn who_may_not_tell_others_still_uses_redis() {
    let user = ["--user", "po", "on", ">pw", "~promptops:*", "resetchannels", "+@all"];
    let server = Server::with(&user).await;
    let (registry, time) = (Registry::default(), Time::new());
    let url = format!("redis://po:pw@127.0.0.1:{}", server.port);
    let client = builder(&registry, &time).cache(CacheConfig::redis(url)).build().unwrap();
    content(&client, "a").await;
    written(&server, 1).await;
    registry.publish();
    client.update_prompt("a", PromptUpdate::new().content("x")).await.unwrap();
    assert_eq!(content(&client, "a").await, is("text 1", Source::Network));
    let in_use = async || content(&client, "a").await == is("text 1", Source::Far);
    assert!(comes(in_use).await);
    assert!(client.cache_stats().failures > 0, "it is counted");
}

#[test]
fn another_runtime_takes_over_though_the_first_never_ran() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let server = runtime().block_on(Server::start());
    let (registry, time) = (Registry::default(), Time::new());
    let build = async { process(&registry, &time, &server, CacheLevel::Hybrid) };
    let client = runtime().block_on(build);
    for round in 0..3 {
        runtime().block_on(async {
            let id = format!("p-{round}");
            content(&client, &id).await;
            written(&server, round + 1).await;
        });
    }
    assert_eq!(client.cache_stats().failures, 0);
}
