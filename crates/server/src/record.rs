//! What became of one request and why, for `zeroserve explain`.
//!
//! The offline pipeline keeps a [`Record`] when it is asked to; a server never does, and pays one
//! look at an empty option for each function of a script.

use std::cell::RefCell;
use std::rc::Rc;

use serde_json::{Value, json};
use zeroserve_archive::Archive;
use zeroserve_host::{Answer, Exchange};
use zeroserve_vm::{Instance, Trap};

use crate::representation::Key;
use crate::scripts::{Place, Scripts};

/// Source lines that are kept of all functions together.
const MAX_LINES: usize = 20_000;

/// Functions that are kept: one may call others as long as its fuel lasts.
const MAX_RUNS: usize = 1_000;

/// A record that the parts of the pipeline share.
pub type SharedRecord = Rc<RefCell<Record>>;

/// What a function runs for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It sees the request.
    Request,
    /// It sees the response.
    Response,
    /// A script asked for it to see the response.
    Hook,
    /// A script called it.
    Call,
}

impl Role {
    fn name(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Response => "response",
            Self::Hook => "hook",
            Self::Call => "call",
        }
    }
}

/// What one function did.
struct Run {
    script: String,
    function: String,
    section: String,
    role: Role,
    depth: usize,
    fuel: u64,
    before: Option<Seen>,
    changes: Vec<Value>,
    result: Value,
}

/// All that is known of one request.
#[derive(Default)]
pub struct Record {
    is_traced: bool,
    runs: Vec<Run>,
    /// Functions that are not kept.
    more_runs: u64,
    /// Number of the function, file and line.
    lines: Vec<(usize, String, u32)>,
    more_lines: u64,
    decision: Option<Value>,
    entry: Option<(String, Option<&'static str>)>,
}

/// What scripts see and can change, at one time.
#[derive(Default)]
struct Seen {
    /// What it is, by a name for people.
    facts: Vec<(String, String)>,
    answered: bool,
}

impl Seen {
    fn new(exchange: &Exchange) -> Self {
        let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
        let mut facts = vec![
            ("method".to_owned(), exchange.method().to_owned()),
            ("target".to_owned(), exchange.target().to_owned()),
        ];
        let fields = exchange.headers().iter();
        facts.extend(fields.map(|(name, v)| (format!("request header {name}"), text(v))));
        let given: Vec<_> = exchange.response_headers().collect();
        facts.extend(given.iter().map(|(n, v)| (format!("response header {n}"), (*v).to_owned())));
        for (key, value) in exchange.template_values() {
            if !given.iter().any(|(name, _)| key.ends_with(name) && key.starts_with("zs.response."))
            {
                facts.push((format!("meta {key}"), value.to_owned()));
            }
        }
        let own = exchange.answer_fields().iter();
        facts.extend(own.map(|(name, v)| (format!("response header {name}"), text(v))));
        if let Some(response) = exchange.response() {
            facts.push(("status".to_owned(), response.status.to_string()));
            let fields = response.headers.iter();
            facts.extend(fields.map(|(name, v)| (format!("response header {name}"), text(v))));
        }
        Self { facts, answered: exchange.answer().is_some() }
    }

    /// What is otherwise afterwards. A name may be there several times.
    fn changes(self, after: Self) -> Vec<Value> {
        let (mut gone, mut new) = (Vec::new(), after.facts);
        for fact in self.facts {
            match new.iter().position(|other| *other == fact) {
                Some(at) => drop(new.remove(at)),
                None => gone.push(fact),
            }
        }
        let mut changes = Vec::new();
        for (what, from) in gone {
            let to = new.iter().position(|(other, _)| *other == what).map(|at| new.remove(at).1);
            changes.push(json!({"what": what, "from": from, "to": to}));
        }
        changes.extend(
            new.into_iter().map(|(what, to)| json!({"what": what, "from": null, "to": to})),
        );
        changes
    }
}

impl Record {
    /// An empty one; `is_traced` if it shall have source lines.
    pub fn new(is_traced: bool) -> Self {
        Self { is_traced, ..Self::default() }
    }

    /// A function is about to run; returns its number.
    pub(crate) fn begin(
        &mut self,
        scripts: &Scripts,
        (script, function): Place,
        role: Role,
        depth: usize,
        exchange: &Exchange,
        instance: &mut Instance,
    ) -> usize {
        if self.is_traced {
            instance.trace(MAX_LINES.saturating_sub(self.lines.len()));
        }
        if self.runs.len() == MAX_RUNS {
            self.more_runs += 1;
            return MAX_RUNS;
        }
        let script = &scripts.list[script];
        let function = &script.program.functions()[function];
        self.runs.push(Run {
            script: script.name.clone(),
            function: function.name.clone(),
            section: function.section.clone(),
            role,
            depth,
            fuel: 0,
            before: Some(Seen::new(exchange)),
            changes: Vec::new(),
            result: Value::Null,
        });
        self.runs.len() - 1
    }

    /// Lines that a function has come by since this was asked last.
    pub(crate) fn lines(&mut self, number: usize, instance: &mut Instance) {
        if !self.is_traced {
            return;
        }
        let traced = instance.take_trace();
        self.more_lines += traced.skipped;
        for (file, line) in traced.lines {
            if self.lines.len() < MAX_LINES {
                self.lines.push((number, file, line));
            } else {
                self.more_lines += 1;
            }
        }
    }

    /// A function has ended, or was stopped.
    pub(crate) fn end(
        &mut self,
        number: usize,
        instance: &mut Instance,
        exchange: &Exchange,
        trap: Option<&Trap>,
    ) {
        self.lines(number, instance);
        let after = Seen::new(exchange);
        let Some(run) = self.runs.get_mut(number) else { return };
        run.fuel = instance.fuel_used();
        let before = run.before.take().unwrap_or_default();
        run.result = match (trap, exchange.answer()) {
            (Some(trap), _) => trapped(trap),
            (None, Some(answer)) if !before.answered => {
                let decided = decision(answer);
                self.decision = Some(decided.clone());
                decided
            }
            _ if run.role == Role::Request => json!({"kind": "fell through"}),
            _ => json!({"kind": "returned"}),
        };
        run.changes = before.changes(after);
    }

    /// A script was stopped, perhaps before it could begin.
    pub(crate) fn trap(&mut self, script: &str, trap: &Trap) {
        let mut decision = trapped(trap);
        decision["script"] = script.into();
        self.decision = Some(decision);
    }

    /// The representation that an answer needs; the last one is that which is sent.
    pub(crate) fn load(&mut self, archive: &Archive, key: Key) {
        let name = archive.index().entry(key.entry).name.to_owned();
        self.entry = Some((name, key.coding().map(|variant| variant.coding())));
    }

    /// For people and machines.
    pub fn to_json(&self) -> Value {
        let runs = self.runs.iter().map(|run| {
            json!({
                "script": run.script,
                "function": run.function,
                "section": run.section,
                "role": run.role.name(),
                "depth": run.depth,
                "fuel": run.fuel,
                "changes": run.changes,
                "result": run.result,
            })
        });
        let entry = self.entry.as_ref();
        let entry = entry.map(|(name, coding)| json!({"name": name, "coding": coding}));
        let decision = self.decision.clone().unwrap_or_else(|| match &entry {
            Some(_) => json!({"kind": "file"}),
            None => json!({"kind": "no file"}),
        });
        let is_file = decision["kind"] == "file";
        json!({
            "functions": runs.collect::<Vec<_>>(),
            "functions_left_out": self.more_runs,
            "fuel": self.runs.iter().map(|run| run.fuel).sum::<u64>(),
            "decision": decision,
            "entry": entry.filter(|_| is_file),
            "trace": self.is_traced.then_some(&self.lines),
            "trace_left_out": self.more_lines,
        })
    }
}

fn trapped(trap: &Trap) -> Value {
    let (file, line) = trap.line.clone().unzip();
    json!({
        "kind": "trapped",
        "reason": trap.reason,
        "function": trap.function,
        "file": file,
        "line": line,
    })
}

fn decision(answer: &Answer) -> Value {
    match answer {
        Answer::Respond { status, body, .. } => {
            json!({"kind": "responded", "status": status, "bytes": body.len()})
        }
        Answer::ReverseProxy { url, .. } => json!({"kind": "proxied", "url": url}),
        Answer::File { path, status } => {
            json!({"kind": "file", "status": status, "path": format!("/{}", path.escape_ascii())})
        }
        Answer::Listing { path, .. } => {
            json!({"kind": "listing", "path": format!("/{}", path.escape_ascii())})
        }
        Answer::Abort => json!({"kind": "aborted"}),
    }
}
