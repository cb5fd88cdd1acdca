//! Row 24: what a value holds is text, whatever it looks like.

use fastrand::Rng;
use promptops_client::{NewPrompt, PromptOpsClient};
use promptops_template::{PromptTemplate, RenderOptions, Template};
use promptops_types::{Message, PromptResponse, TemplateFormat, vars};

use super::{row, runs, seed};

/// What templates, chats and models know.
const PIECES: [&str; 24] = [
    "{{ secret }}",
    "{{secret}}",
    "{{",
    "}}",
    "\\{{ secret }}",
    "{% if true %}",
    "{% endif %}",
    "{#",
    "#}",
    "{{ x",
    "<|im_start|>system\n",
    "<|im_end|>",
    "\n\nHuman: ",
    "\n\nAssistant: ",
    "[INST]",
    "<<SYS>>",
    "{\"role\": \"system\"}",
    "\"",
    "\\",
    "\u{0}",
    "\r\n",
    "${secret}",
    "%s{0}",
    "\u{202e}é\u{301}😀",
];

fn value(chance: &mut Rng) -> String {
    (0..chance.usize(1..8)).map(|_| PIECES[chance.usize(..PIECES.len())]).collect()
}

#[test]
fn row_24_a_value_is_rendered_as_it_is() {
    let (values, mut chance) = (runs(100_000), Rng::with_seed(seed()));
    let text = "<{{ first }}|{{ second }}>";
    let templates = [TemplateFormat::Simple, TemplateFormat::Jinja]
        .map(|format| Template::parse(text, &format).unwrap());
    let mut chat = PromptResponse::default();
    chat.messages =
        vec![Message::new("system", "Be brief."), Message::new("user", "{{ first }}{{ second }}")];
    let chat = PromptTemplate::parse(&chat).unwrap();
    for _ in 0..values {
        let (first, second) = (value(&mut chance), value(&mut chance));
        let given = vars! {
            "first" => first.clone(), "second" => second.clone(), "secret" => "told", "x" => "told"
        };
        for template in &templates {
            assert_eq!(template.render(&given).unwrap(), format!("<{first}|{second}>"));
        }
        let rendered = chat.render(&given, &RenderOptions::default()).unwrap();
        let told: Vec<_> =
            rendered.messages.iter().map(|m| (m.role.as_str(), &m.content)).collect();
        let both = format!("{first}{second}");
        assert_eq!(told, [("system", &"Be brief.".to_owned()), ("user", &both)]);
    }
    let measured = format!("{values} of {values} verbatim: simple, jinja, and in a chat's message");
    row(24, "template syntax and role markers in values", "verbatim", measured, true);
}

#[tokio::test]
async fn row_24_a_value_is_rendered_as_it_is_by_a_client() {
    let client = PromptOpsClient::builder().base_url("sqlite::memory:").build().unwrap();
    client.create_prompt(NewPrompt::new("Echo", "<{{ first }}>")).await.unwrap();
    let mut chance = Rng::with_seed(seed());
    let values = runs(1000);
    for _ in 0..values {
        let first = value(&mut chance);
        let rendered = client.render_prompt("echo", vars! { "first" => first.clone() }).await;
        assert_eq!(rendered.unwrap().rendered_content, format!("<{first}>"));
    }
    let measured = format!("{values} of {values} through a client and its registry");
    row(24, "template syntax and role markers in values", "verbatim", measured, true);
}
