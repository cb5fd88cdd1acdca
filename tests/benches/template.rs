//! Templates and what they are made of, beside the quickest of each kind: a loop by hand, minijinja,
//! ramhorns, `serde_json`. A get and render of a cached prompt is beside langfuse's, in a process of
//! Python that takes its turn when it is told; `PROMPTOPS_BENCH_LANGFUSE` is its command line.
#![allow(
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark prints and may panic"
)]

mod answer;
mod row;
mod timed;

use std::collections::HashMap;
use std::fmt::Write as _;
use std::hint::black_box;
use std::io::{BufRead, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use promptops_client::{NewPrompt, PromptOpsClient, TelemetryConfig};
use promptops_template::Template;
use promptops_types::{PromptResponse, PromptVariables, Success, TemplateFormat};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::answer::answer;
use crate::row::{Target, compare, is_wanted};
use crate::timed::{each, now, of_many, seconds_since};

const ROUNDS: usize = 25;
/// Of what takes some hundred nanoseconds.
const MANY: usize = 50_000;
/// Of what takes microseconds.
const SOME: usize = 5_000;

fn main() {
    for (part, run) in [
        ("few_variables", few_variables as fn()),
        ("many_variables", many_variables),
        ("parse", parse),
        ("jinja", jinja),
        ("decode", decode),
        ("from_cache", from_cache),
    ] {
        if is_wanted(part) {
            run();
        }
    }
}

/// A text of so many bytes with so many variables, each of them used over and over.
fn text(variables: usize, bytes: usize) -> String {
    let mut text = String::new();
    let mut number = 0;
    while text.len() < bytes {
        // What is between two placeholders takes what there is.
        let rest = (bytes / variables).saturating_sub(20).clamp(12, 380);
        let words = "thank you for your order of the day before ".repeat(rest / 44 + 1);
        write!(text, "{{{{ variable_{} }}}} {}", number % variables, &words[..rest]).unwrap();
        number += 1;
    }
    text
}

fn values(variables: usize) -> Vec<(String, String)> {
    (0..variables).map(|number| (format!("variable_{number}"), format!("value {number}"))).collect()
}

/// What one would write who has one template: segments, and a map to look into.
enum Segment<'t> {
    Text(&'t str),
    Variable(&'t str),
}

fn segments(text: &str) -> Vec<Segment<'_>> {
    let mut segments = Vec::new();
    for part in text.split("{{ ") {
        if let Some((name, text)) = part.split_once(" }}") {
            segments.push(Segment::Variable(name));
            segments.push(Segment::Text(text));
        } else {
            segments.push(Segment::Text(part));
        }
    }
    segments
}

fn by_hand(segments: &[Segment<'_>], values: &HashMap<String, String>, bytes: usize) -> String {
    let mut out = String::with_capacity(bytes);
    for segment in segments {
        match segment {
            Segment::Text(text) => out.push_str(text),
            Segment::Variable(name) => out.push_str(&values[*name]),
        }
    }
    out
}

/// Variables as minijinja takes them.
fn jinja_value(values: &impl Serialize) -> minijinja::Value {
    minijinja::Value::from(minijinja::value::Serde(values))
}

/// Rounds of two, in turn.
fn in_turn(times: usize, mut theirs: impl FnMut(), mut ours: impl FnMut()) -> (Vec<f64>, Vec<f64>) {
    let mut rounds = (Vec::new(), Vec::new());
    for round in 0..=ROUNDS {
        let (their, our) = (each(times, |_| theirs()), each(times, |_| ours()));
        // The first is for warming up.
        if round > 0 {
            rounds.0.push(their);
            rounds.1.push(our);
        }
    }
    rounds
}

/// 5 variables, 500 bytes.
fn few_variables() {
    let text = text(5, 500);
    let (segments, map) = (segments(&text), values(5).into_iter().collect());
    let template = Template::parse(&*text, &TemplateFormat::Simple).unwrap();
    let variables: PromptVariables = values(5).into_iter().collect();
    assert_eq!(by_hand(&segments, &map, 600), template.render(&variables).unwrap());
    let (theirs, ours) = in_turn(
        MANY,
        || drop(black_box(by_hand(&segments, &map, 600))),
        || drop(black_box(template.render(&variables))),
    );
    compare(
        "render, 5 variables, 500 B",
        ("a loop over segments, by hand", &theirs),
        (&ours, "ns"),
        Some(Target::AtMost(1.3)),
    );
}

/// 50 variables, 20 KB.
fn many_variables() {
    let text = text(50, 20_000);
    let template = Template::parse(&*text, &TemplateFormat::Simple).unwrap();
    let variables: PromptVariables = values(50).into_iter().collect();
    let mut environment = minijinja::Environment::new();
    environment.add_template("bench", &text).unwrap();
    let theirs = environment.get_template("bench").unwrap();
    let map: HashMap<String, String> = values(50).into_iter().collect();
    let value = jinja_value(&map);
    assert_eq!(theirs.render(&value).unwrap(), template.render(&variables).unwrap());
    let what = "render, 50 variables, 20 KB";
    let (from_value, ours) = in_turn(
        SOME,
        || drop(black_box(theirs.render(&value))),
        || drop(black_box(template.render(&variables))),
    );
    let peer = ("minijinja, template and value made before", &from_value[..]);
    compare(what, peer, (&ours, "ns"), Some(Target::AtMost(0.3)));
    let (from_map, ours) = in_turn(
        SOME,
        || drop(black_box(theirs.render(jinja_value(&map)))),
        || drop(black_box(template.render(&variables))),
    );
    compare(what, ("minijinja, from a map of strings", &from_map), (&ours, "ns"), None);
}

/// 20 KB, from text to what renders.
fn parse() {
    let text = text(50, 20_000);
    let (theirs, ours) = in_turn(
        SOME,
        || drop(black_box(ramhorns::Template::new(&*text).unwrap())),
        || drop(black_box(Template::parse(&*text, &TemplateFormat::Simple).unwrap())),
    );
    compare(
        "parse a template, 20 KB",
        ("ramhorns", &theirs),
        (&ours, "ns"),
        Some(Target::AtMost(2.0)),
    );
}

/// The `jinja` format, parsed once.
fn jinja() {
    let text = text(5, 500);
    let template = Template::parse(&*text, &TemplateFormat::Jinja).unwrap();
    let variables: PromptVariables = values(5).into_iter().collect();
    let mut environment = minijinja::Environment::new();
    environment.add_template("bench", &text).unwrap();
    let theirs = environment.get_template("bench").unwrap();
    let map: Map<String, Value> = variables.clone().into();
    assert_eq!(theirs.render(jinja_value(&map)).unwrap(), template.render(&variables).unwrap());
    let (theirs, ours) = in_turn(
        MANY / 5,
        || drop(black_box(theirs.render(jinja_value(&map)))),
        || drop(black_box(template.render(&variables))),
    );
    compare(
        "jinja render, 5 variables, 500 B, parsed once",
        ("minijinja itself", &theirs),
        (&ours, "ns"),
        Some(Target::AtMost(1.1)),
    );
}

/// What one would write who wants these fields of an answer and no more.
#[derive(Deserialize)]
#[allow(dead_code, reason = "only decoded")]
struct Answer {
    success: bool,
    data: Plain,
    metadata: About,
}

#[derive(Deserialize)]
#[allow(dead_code, reason = "only decoded")]
struct About {
    request_id: String,
    timestamp: String,
}

#[derive(Deserialize)]
#[allow(dead_code, reason = "only decoded")]
struct Plain {
    id: String,
    slug: String,
    name: String,
    description: Option<String>,
    content: String,
    variables: Vec<String>,
    target_models: Vec<String>,
    version: String,
    created_at: String,
    updated_at: String,
    tags: Vec<String>,
    metadata: Map<String, Value>,
    project_id: Option<String>,
}

fn decode() {
    let bytes = answer();
    let (theirs, ours) = in_turn(
        SOME,
        || drop(black_box(serde_json::from_slice::<Answer>(bytes.as_bytes()).unwrap())),
        || {
            let answer = serde_json::from_slice::<Success<PromptResponse>>(bytes.as_bytes());
            drop(black_box(answer.unwrap()));
        },
    );
    compare(
        "decode a prompt of 3.7 KB",
        ("serde_json into a plain struct", &theirs),
        (&ours, "ns"),
        Some(Target::AtMost(1.05)),
    );
}

/// langfuse in a process of Python: waits for its turns, and renders the same.
struct Langfuse {
    process: Child,
    ask: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Langfuse {
    fn start(command: &str) -> Self {
        let mut words = command.split(' ');
        let mut process = Command::new(words.next().unwrap())
            .args(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let ask = process.stdin.take().unwrap();
        let answers = BufReader::new(process.stdout.take().unwrap());
        Self { process, ask, answers }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        line.trim().to_owned()
    }

    /// Nanoseconds of one get and compile.
    fn turn(&mut self) -> f64 {
        writeln!(self.ask, "go").unwrap();
        self.line().parse().unwrap()
    }
}

impl Drop for Langfuse {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What it says first: what both render.
#[derive(Deserialize)]
struct Same {
    content: String,
    variables: PromptVariables,
    rendered: String,
}

/// Get and render, 1 KB, from the cache.
fn from_cache() {
    let Ok(command) = std::env::var("PROMPTOPS_BENCH_LANGFUSE") else {
        eprintln!("left out: a get and render beside langfuse, which `cargo xtask bench` installs");
        return;
    };
    // A bench runs in the folder of its package.
    std::env::set_current_dir("..").unwrap();
    let mut langfuse = Langfuse::start(&command);
    let same: Same = serde_json::from_str(&langfuse.line()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (theirs, ours) = runtime.block_on(async {
        let client = PromptOpsClient::builder()
            .base_url("sqlite::memory:")
            .telemetry(TelemetryConfig::disabled())
            .build()
            .unwrap();
        client.create_prompt(NewPrompt::new("Greeting", same.content.clone())).await.unwrap();
        let rendered = client.render_prompt("greeting", same.variables.clone()).await.unwrap();
        assert_eq!(rendered.rendered_content, same.rendered);
        let mut rounds = (Vec::new(), Vec::new());
        for round in 0..=ROUNDS {
            let theirs = langfuse.turn();
            let started = now();
            for _ in 0..SOME {
                let variables = same.variables.clone();
                black_box(client.render_prompt("greeting", variables).await.unwrap());
            }
            let ours = of_many(seconds_since(started), SOME);
            if round > 0 {
                rounds.0.push(theirs);
                rounds.1.push(ours);
            }
        }
        rounds
    });
    compare(
        "get and render 1 KB, from the cache",
        ("langfuse, get and compile, in Python", &theirs),
        (&ours, "ns"),
        Some(Target::AtMost(0.1)),
    );
}
