//! Invalidations, by new generations.

use std::time::Duration;

use deadpool_redis::redis::{Value, cmd, pipe};

use crate::Invalidation;
use crate::redis::link::Link;
use crate::redis::message;
use crate::redis::shared::{Answer, Shared};

/// How long a generation is kept after it was last used: longer than any entry of it.
pub(super) const GENERATION_SECONDS: u64 = 60 * 24 * 3600;

/// How long an invalidation is remembered for what was read before it: longer than a call takes.
pub(super) const MARK: Duration = Duration::from_mins(2);

/// A generation that there has never been.
pub(in crate::redis) fn new_generation() -> u64 {
    uuid::Uuid::new_v4().as_u64_pair().0
}

/// Forgets, by new generations: entries of the old ones are there no more. Then tells others.
pub(in crate::redis) async fn invalidate(
    shared: &Shared,
    link: &mut Link,
    what: &Invalidation,
) -> Answer<()> {
    let names = &shared.names;
    let scope = what.scope();
    let mut generations = Vec::new();
    match what {
        Invalidation::Key(key) => {
            // Others of its prompt go with it: one that is on its way under the same generation would
            // bring it back.
            let name = names.group(scope, key.prompt.as_deref());
            let mut forget = pipe();
            forget.cmd("SET").arg(name).arg(new_generation()).arg("EX").arg(GENERATION_SECONDS);
            forget.cmd("UNLINK").arg(names.entry(key, &key.fingerprint()));
            return shared.pipeline(link, &forget).await.map(drop);
        }
        Invalidation::Everything(_) => generations.push(names.scope(scope)),
        Invalidation::Lists(_) => generations.push(names.group(scope, None)),
        Invalidation::Prompt { prompt, .. } => {
            generations.push(names.group(scope, Some(prompt)));
            // Before the names are read: a write whose name is not there yet sees the mark.
            let mut mark = cmd("SET");
            mark.arg(names.mark(scope, prompt)).arg(1).arg("EX").arg(MARK.as_secs());
            shared.command(link, &mark).await?;
            let name = names.aliases(scope, prompt);
            let aliases = shared.command(link, cmd("SMEMBERS").arg(&name)).await;
            let aliases = match aliases {
                // Somebody else's: what the prompt is called is not known, so everything goes.
                Err(failure) if failure.to_string().contains("WRONGTYPE") => {
                    shared.command(link, cmd("UNLINK").arg(&name)).await?;
                    generations.push(names.scope(scope));
                    Value::Nil
                }
                aliases => aliases?,
            };
            if let Value::Array(aliases) | Value::Set(aliases) = aliases {
                for alias in aliases {
                    if let Value::BulkString(alias) = alias
                        && let Ok(alias) = String::from_utf8(alias)
                    {
                        generations.push(names.group(scope, Some(&alias)));
                    }
                }
            }
        }
    }
    let mut bump = pipe();
    for name in generations {
        bump.cmd("SET").arg(name).arg(new_generation()).arg("EX").arg(GENERATION_SECONDS);
    }
    shared.pipeline(link, &bump).await?;
    if let Some(message) = message::encode(what) {
        let publish = cmd("PUBLISH").arg(names.channel()).arg(message).to_owned();
        shared.tell(link, &publish).await?;
    }
    Ok(())
}
