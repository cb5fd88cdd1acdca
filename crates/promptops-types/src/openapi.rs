//! Schemas of the types that are written as text or as any JSON.

use utoipa::openapi::schema::{AdditionalProperties, ObjectBuilder, Type};
use utoipa::openapi::{KnownFormat, RefOr, Schema, SchemaFormat};
use utoipa::{PartialSchema, ToSchema};

use crate::{
    BodyKind, ErrorCode, HealthState, LabelName, ModelProvider, PromptVariables, TemplateFormat,
    Timestamp, Version,
};

macro_rules! text {
    ($( $type:ident: $description:literal $(, $known:expr)?; )+) => { $(
        impl PartialSchema for $type {
            fn schema() -> RefOr<Schema> {
                let builder = ObjectBuilder::new()
                    .schema_type(Type::String)
                    .description(Some($description));
                $( let builder = builder.examples($known); )?
                builder.into()
            }
        }

        impl ToSchema for $type {}
    )+ };
}

fn known<T: Clone + Into<String>>(values: &[T]) -> Vec<String> {
    values.iter().cloned().map(Into::into).collect()
}

text! {
    Version: "A semantic version, such as 1.2.0.", ["1.2.0"];
    LabelName: "1 to 100 characters; not `latest`, not beginning like a version.", ["production"];
    ErrorCode: "What went wrong; others may come.", known(ErrorCode::KNOWN);
    ModelProvider: "Who a model is from; others are kept as they come.", known(ModelProvider::KNOWN);
    TemplateFormat: "How the text is rendered.", known(TemplateFormat::KNOWN);
    BodyKind: "What a body was chosen by.", known(BodyKind::KNOWN);
    HealthState: "How well something is.", known(HealthState::KNOWN);
}

impl PartialSchema for Timestamp {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
            .description(Some("RFC 3339, in UTC."))
            .into()
    }
}

impl ToSchema for Timestamp {}

impl PartialSchema for PromptVariables {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::Object)
            .additional_properties(Some(AdditionalProperties::<Schema>::FreeForm(true)))
            .description(Some("Values by name: any JSON."))
            .into()
    }
}

impl ToSchema for PromptVariables {}
