//! `cargo xtask test`: all tests, the examples, and the feature sets people build with.

use crate::command::{CommandLine, cargo, program};
use crate::{Outcome, programs, wheel};

/// Examples run to their end without a server; the quickstart first.
const EXAMPLES: [&str; 12] = [
    "quickstart",
    "axum_app",
    "caching",
    "custom_cache",
    "custom_sink",
    "custom_transport",
    "errors",
    "fallback",
    "middleware",
    "telemetry",
    "tenants",
    "testing",
];

const FEATURE_CHECKS: [&str; 15] = [
    "check -p promptops-template --no-default-features",
    "check -p promptops-transport --no-default-features",
    "check -p promptops-transport --no-default-features --features hyper",
    "check -p promptops-transport --no-default-features --features http2,platform-roots",
    "check -p promptops-cache --no-default-features",
    "check -p promptops-cache --no-default-features --features redis",
    "check -p promptops-client --no-default-features",
    "check -p promptops-client --no-default-features --features redis",
    "check -p promptops-client --no-default-features --features hyper",
    "check -p promptops-client --no-default-features --features embedded",
    "check -p promptops-client --no-default-features --features blocking",
    "check -p promptops-client --no-default-features --features otel,test-util",
    "check -p promptops-telemetry --no-default-features",
    "check -p promptops-telemetry --no-default-features --features otel",
    "check -p promptops-types --all-features",
];

pub(crate) fn run() -> Outcome {
    require_c_compiler()?;
    programs::require()?;
    cargo("test --workspace --all-features").run()?;
    for example in EXAMPLES {
        cargo(&format!("run --quiet --example {example}")).run()?;
    }
    wheel::test()?;
    FEATURE_CHECKS.into_iter().try_for_each(|line| cargo(line).run())?;
    let Some(vectors) = signature_vectors() else {
        println!("skipped: tests/vectors/signatures.py --check (it needs python3 and openssl)");
        return Ok(());
    };
    vectors.run()
}

/// Computes the vectors of signed requests again by two programs that share nothing with ours, if they are
/// there.
pub(crate) fn signature_vectors() -> Option<CommandLine> {
    let are_there =
        program("python3", ["--version"]).works() && program("openssl", ["version"]).works();
    are_there.then(|| program("python3", ["tests/vectors/signatures.py", "--check"]))
}

/// `SQLite` is compiled in, from C.
fn require_c_compiler() -> Outcome {
    let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".to_owned());
    // CC may carry a wrapper or flags: `ccache cc`, `clang --target=...`.
    let mut words = compiler.split_whitespace();
    let name = words.next().unwrap_or("cc");
    if program(name, words.chain(["--version"])).works() {
        return Ok(());
    }
    Err(format!(
        "no C compiler: `{compiler} --version` does not run, and SQLite is compiled in.\n\
         Install one, or name yours in the environment variable CC:\n  \
         Debian, Ubuntu  apt-get install build-essential\n  \
         Fedora          dnf install gcc\n  \
         Alpine          apk add build-base\n  \
         macOS           xcode-select --install"
    ))
}
