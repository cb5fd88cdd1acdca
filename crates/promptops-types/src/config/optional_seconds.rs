//! A duration that may be left out.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serializer};

#[expect(clippy::ref_option, reason = "what serde hands over")]
pub(super) fn serialize<S: Serializer>(value: &Option<Duration>, to: S) -> Result<S::Ok, S::Error> {
    super::seconds::serialize(&value.unwrap_or_default(), to)
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(
    from: D,
) -> Result<Option<Duration>, D::Error> {
    #[derive(Deserialize)]
    struct Seconds(#[serde(with = "super::seconds")] Duration);
    Ok(Option::<Seconds>::deserialize(from)?.map(|seconds| seconds.0))
}
