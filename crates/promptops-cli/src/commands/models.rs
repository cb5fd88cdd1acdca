//! `promptops models`.

use clap::Args;
use promptops_client::ModelInfo;

use crate::block_on;
use crate::failure::Failure;
use crate::settings::{Global, Registry};

/// Lists the models that the registry knows
#[derive(Debug, Args)]
pub(crate) struct Models {
    /// Only models of this provider
    #[arg(long)]
    provider: Option<String>,

    /// Only models with this capability, such as `vision`
    #[arg(long)]
    capability: Option<String>,
}

impl Models {
    pub(crate) fn run(self, global: &Global) -> Result<(), Failure> {
        let session = global.session(Registry::IsThere)?;
        let mut request = session.client.list_models();
        if let Some(provider) = &self.provider {
            request = request.provider(provider.as_str());
        }
        if let Some(capability) = &self.capability {
            request = request.capability(capability);
        }
        let models = block_on(async { Ok(request.await?) })?;
        if session.output.json {
            return session.output.data(&models);
        }
        let number = |number: Option<u64>| number.map(|n| n.to_string()).unwrap_or_default();
        let price = |model: &ModelInfo, price: Option<f64>| {
            price.map(|price| format!("{price} {}", model.currency)).unwrap_or_default()
        };
        let rows = models.iter().map(|model| {
            vec![
                model.provider.to_string(),
                model.name.clone(),
                number(model.context_window),
                number(model.max_output_tokens),
                price(model, model.input_price_per_million_tokens),
                price(model, model.output_price_per_million_tokens),
                model.capabilities.join(", "),
            ]
        });
        let headings =
            ["PROVIDER", "MODEL", "CONTEXT", "OUTPUT", "IN / 1M", "OUT / 1M", "CAPABILITIES"];
        session.output.table(&headings, rows.collect())
    }
}
