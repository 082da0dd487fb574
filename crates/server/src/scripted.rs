//! The scripts of one request, run one after another until one answers.
//!
//! [`Scripted::advance`] never waits: it comes back when a slice is used up or the body is needed,
//! and goes on where it was. All waiting is the connection's.

use std::rc::Rc;
use std::sync::Arc;

use smallvec::SmallVec;
use zeroserve_host::limits::{MAX_CALL_DEPTH, MAX_REQUEST_BODY_BYTES};
use zeroserve_host::{Body, Exchange, FetchRequest, Hook, Outcome};
use zeroserve_vm::limits::SLICE_FUEL;
use zeroserve_vm::{Event, Fuel, Instance, Trap, TrapKind};

use crate::notice;
use crate::oracle::Oracle;
use crate::record::{Role, SharedRecord};
use crate::scripts::{Place, Scripts};
use crate::stats::WorkerStats;
use crate::surroundings::Surroundings;
use crate::view::{LocalGeneration, View};

/// What a call that can't be made returns: -1.
const NOTHING: u64 = u64::MAX;

/// How a run of scripts comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Others may work before it goes on.
    Slice,
    /// It needs the request body, at most so many bytes of it.
    Body(u64),
    /// It needs to know of a password: [`Scripted::take_password`].
    Password,
    /// It asks another server: see [`Scripted::take_fetch`].
    Fetch,
    /// All that had to run has run.
    Done,
}

/// What comes next once the stack is empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// The nth function that sees requests.
    Request(usize),
    /// The nth response hook that a script asked for.
    Hook(usize),
    /// The nth function that sees responses.
    Response(usize),
}

/// A function that runs, or waits for one that it called.
struct Running {
    script: usize,
    instance: Box<Instance>,
    /// Whether another script called it.
    called: bool,
    /// Its number in the record, if there is one.
    recorded: usize,
}

/// A request and the scripts that see it.
pub struct Scripted {
    /// The generation that the request began with.
    pub generation: LocalGeneration,
    /// What scripts see and change.
    pub exchange: Box<Exchange>,
    /// Whether the head says already all that scripts want it to say.
    pub head_is_done: bool,
    /// Whether it is for a browser that is to hear of changes.
    pub is_live: bool,
    /// Mostly one.
    stack: SmallVec<[Running; 1]>,
    stage: Stage,
    hooks: Vec<Hook>,
    /// Fuel used by functions that have ended.
    used: u64,
    /// Fuel that was used when others had their turn last.
    yielded: u64,
    /// What it asks another server for.
    fetch: Option<Box<FetchRequest>>,
    /// A helper that waits for the body, or for another server.
    waiting: Option<(u32, [u64; 5])>,
    /// The password and the hash that it waits for.
    password: Option<(Vec<u8>, String)>,
    /// What is answered instead of all that scripts decided.
    stopped: Option<u16>,
    /// Functions started.
    runs: u32,
    /// Says afterwards what ran, for who asked.
    record: Option<SharedRecord>,
    /// Runs the scripts in place of the engine.
    oracle: Option<Rc<dyn Oracle>>,
}

impl Scripted {
    /// Begin with the first script.
    pub fn new(generation: LocalGeneration, exchange: Box<Exchange>) -> Self {
        Self {
            generation,
            exchange,
            head_is_done: false,
            is_live: false,
            stack: SmallVec::new(),
            stage: Stage::Request(0),
            hooks: Vec::new(),
            used: 0,
            yielded: 0,
            fetch: None,
            waiting: None,
            password: None,
            stopped: None,
            runs: 0,
            record: None,
            oracle: None,
        }
    }

    /// Keep a record of what runs.
    pub fn record(&mut self, record: Option<SharedRecord>) {
        self.record = record;
    }

    /// Have the scripts run elsewhere.
    pub fn ask(&mut self, oracle: Option<Rc<dyn Oracle>>) {
        self.oracle = oracle;
    }

    /// The status to answer if a script was stopped: then nothing of what scripts decided counts.
    pub fn stopped(&self) -> Option<u16> {
        self.stopped
    }

    /// Add what ran, and whether it was stopped, to the counters.
    pub fn count(&self, stats: &WorkerStats) {
        stats.script_runs.add(u64::from(self.runs));
        stats.script_traps.add(u64::from(self.stopped == Some(500)));
    }

    /// Fuel used so far, by all functions.
    fn fuel_used(&mut self) -> u64 {
        self.used + self.stack.iter_mut().map(|r| r.instance.fuel_used()).sum::<u64>()
    }

    /// Fuel used since others had their turn last.
    pub fn fuel_since_slice(&mut self) -> u64 {
        self.fuel_used().saturating_sub(self.yielded)
    }

    /// Whether functions, none of which used up a slice of its own, did so together.
    fn has_used_slice(&mut self) -> bool {
        self.fuel_since_slice() >= SLICE_FUEL
    }

    fn slice(&mut self) -> Progress {
        self.yielded = self.fuel_used();
        Progress::Slice
    }

    /// The request that a script makes, once.
    pub fn take_fetch(&mut self) -> Option<Box<FetchRequest>> {
        self.fetch.take()
    }

    /// How many functions run or wait for others: each holds memory of its own.
    pub fn depth(&self) -> usize {
        self.stack.len()
    }

    /// Whether anything has to see the response.
    pub fn sees_response(&self) -> bool {
        let on_response = |scripts: &Scripts| !scripts.on_response.is_empty();
        self.stopped.is_none()
            && (self.exchange.has_hooks()
                || self.oracle.as_ref().is_some_and(|oracle| oracle.sees_responses())
                || self.generation.scripts.as_ref().is_some_and(on_response))
    }

    /// The password that is to be verified, and the hash.
    pub fn take_password(&mut self) -> Option<(Vec<u8>, String)> {
        self.password.take()
    }

    /// Go on with those that see the response.
    pub fn begin_response(&mut self) {
        self.hooks = self.exchange.take_hooks();
        self.stage = Stage::Hook(0);
    }

    /// Run until something has to be waited for or nothing is left.
    pub fn advance(&mut self, view: &View) -> Progress {
        if let Some(oracle) = self.oracle.clone() {
            return self.advance_elsewhere(&*oracle);
        }
        let generation = Rc::clone(&self.generation);
        let Some(scripts) = generation.scripts.as_ref().filter(|_| self.stopped.is_none()) else {
            return Progress::Done;
        };
        let world = Surroundings::new(&generation, view);
        let mut event = match (self.waiting.take(), self.stack.last_mut()) {
            (Some((number, args)), _) => Event::Helper { number, args },
            (None, Some(top)) => top.instance.resume(),
            (None, None) => match self.start_next(scripts, view) {
                Some(event) => event,
                None => return Progress::Done,
            },
        };
        loop {
            event = match event {
                Event::Slice => return self.slice(),
                Event::Done(value) => match self.end(value, view) {
                    Some(event) => event,
                    None if self.has_used_slice() => return self.slice(),
                    None => match self.start_next(scripts, view) {
                        Some(event) => event,
                        None => return Progress::Done,
                    },
                },
                Event::Helper { number, args } if self.has_used_slice() => {
                    self.waiting = Some((number, args));
                    return self.slice();
                }
                Event::Helper { number, args } => {
                    let Some(top) = self.stack.last_mut() else { return Progress::Done };
                    world.enter(top.script);
                    let (exchange, instance) = (&mut self.exchange, &mut top.instance);
                    match zeroserve_host::call(number, args, exchange, instance, &world) {
                        Outcome::Value(value) => top.instance.reply(value),
                        Outcome::Trap(reason) => Event::Trapped(top.instance.fail(reason)),
                        Outcome::Stop { reason, line } => {
                            Event::Trapped(top.instance.fail_at(reason, line))
                        }
                        Outcome::BodyTooLarge => {
                            self.stopped = Some(413);
                            self.give_up(view);
                            return Progress::Done;
                        }
                        Outcome::Busy => {
                            self.stopped = Some(503);
                            self.give_up(view);
                            return Progress::Done;
                        }
                        Outcome::Password { password, hash } => {
                            self.waiting = Some((number, args));
                            self.password = Some((password, hash));
                            return Progress::Password;
                        }
                        Outcome::Body { limit } => {
                            self.waiting = Some((number, args));
                            return Progress::Body(limit);
                        }
                        Outcome::Fetch(request) => {
                            self.waiting = Some((number, args));
                            self.fetch = Some(request);
                            return Progress::Fetch;
                        }
                        Outcome::Call { script, function, input } => {
                            self.call(scripts, view, &script, &function, input)
                        }
                    }
                }
                Event::Trapped(trap) => {
                    self.trap(scripts, view, &trap);
                    return Progress::Done;
                }
            };
        }
    }

    /// The same where the scripts run elsewhere, all of them at once and with the body at hand.
    fn advance_elsewhere(&mut self, oracle: &dyn Oracle) -> Progress {
        let asked = match self.stage {
            _ if self.stopped.is_some() => return Progress::Done,
            Stage::Request(0) if *self.exchange.body() == Body::Unread => {
                return Progress::Body(MAX_REQUEST_BODY_BYTES);
            }
            Stage::Request(0) => {
                self.stage = Stage::Request(1);
                oracle.on_request(&mut self.exchange)
            }
            Stage::Hook(_) => {
                self.stage = Stage::Response(0);
                oracle.on_response(&mut self.exchange)
            }
            Stage::Request(_) | Stage::Response(_) => return Progress::Done,
        };
        self.stopped = asked.err();
        Progress::Done
    }

    /// Call a function of a script, this one when it has no name; -1 when that can't be.
    fn call(
        &mut self,
        scripts: &Scripts,
        view: &View,
        script: &str,
        function: &str,
        input: serde_json::Value,
    ) -> Event {
        let own = self.stack.last().map(|top| top.script);
        let place =
            find(scripts, if script.is_empty() { own } else { scripts.named(script) }, function);
        match place {
            Some(place) if self.stack.len() <= MAX_CALL_DEPTH => {
                if let (Some(record), Some(top)) = (&self.record, self.stack.last_mut()) {
                    record.borrow_mut().lines(top.recorded, &mut top.instance);
                }
                let handle = self.exchange.enter(&scripts.list[place.0].name, input);
                self.start(scripts, view, place, handle, Role::Call)
            }
            _ => match self.stack.last_mut() {
                Some(top) => top.instance.reply(NOTHING),
                None => Event::Done(0),
            },
        }
    }

    /// Start the next function of the stage; `None` when there is none.
    fn start_next(&mut self, scripts: &Scripts, view: &View) -> Option<Event> {
        loop {
            let (place, argument, role) = match self.stage {
                Stage::Request(n) => {
                    let place = *scripts.on_request.get(n)?;
                    if self.exchange.answer().is_some() {
                        return None;
                    }
                    self.stage = Stage::Request(n + 1);
                    self.exchange.start(&scripts.list[place.0].name);
                    (place, 0, Role::Request)
                }
                Stage::Hook(n) => {
                    let Some(hook) = self.hooks.get_mut(n) else {
                        self.stage = Stage::Response(0);
                        continue;
                    };
                    self.stage = Stage::Hook(n + 1);
                    let Some(place) = find(scripts, scripts.named(&hook.script), &hook.function)
                    else {
                        let trap = not_started(&hook.function, "there is no such response hook");
                        return Some(trap);
                    };
                    let input = hook.input.take();
                    self.exchange.start(&scripts.list[place.0].name);
                    (place, self.exchange.adopt(input), Role::Hook)
                }
                Stage::Response(n) => {
                    let place = *scripts.on_response.get(n)?;
                    self.stage = Stage::Response(n + 1);
                    self.exchange.start(&scripts.list[place.0].name);
                    (place, 0, Role::Response)
                }
            };
            return Some(self.start(scripts, view, place, argument, role));
        }
    }

    fn start(
        &mut self,
        scripts: &Scripts,
        view: &View,
        (script, function): Place,
        argument: u64,
        role: Role,
    ) -> Event {
        // The budget is for all scripts of the request together; callers have used some of it.
        let fuel = Fuel::default();
        let budget = fuel.budget.saturating_sub(self.fuel_used());
        let program = &scripts.list[script].program;
        let made = match view.take_instance(self.generation.number, script) {
            Some(instance) => Ok(instance),
            None => Instance::new(Arc::clone(program)).map(Box::new),
        };
        let started = made.and_then(|mut instance| {
            instance.start(function, [argument, 0, 0, 0, 0], Fuel { budget, ..fuel })?;
            Ok(instance)
        });
        match started {
            Ok(mut instance) => {
                let mut recorded = 0;
                if let Some(record) = &self.record {
                    let (place, depth) = ((script, function), self.stack.len());
                    let mut record = record.borrow_mut();
                    recorded =
                        record.begin(scripts, place, role, depth, &self.exchange, &mut instance);
                }
                let event = instance.resume();
                self.runs = self.runs.saturating_add(1);
                let called = role == Role::Call;
                self.stack.push(Running { script, instance, called, recorded });
                event
            }
            Err(error) => {
                let name = &program.functions()[function].name;
                not_started(name, &format!("can't be started: {}", notice::plain(&error)))
            }
        }
    }

    /// The top of the stack has ended; what its caller makes of it.
    fn end(&mut self, value: u64, view: &View) -> Option<Event> {
        let mut ended = self.stack.pop()?;
        self.used += ended.instance.fuel_used();
        if let Some(record) = &self.record {
            let Running { recorded, instance, .. } = &mut ended;
            record.borrow_mut().end(*recorded, instance, &self.exchange, None);
        }
        view.give_instance(self.generation.number, ended.script, ended.instance);
        if !ended.called {
            return None;
        }
        let result = self.exchange.leave(value);
        let handle = result.map_or(NOTHING, |value| self.exchange.adopt(value));
        Some(self.stack.last_mut()?.instance.reply(handle))
    }

    /// Fails closed: later scripts and the file are not reached.
    fn trap(&mut self, scripts: &Scripts, view: &View, trap: &Trap) {
        let name = match self.stack.last() {
            Some(running) => scripts.list[running.script].name.as_str(),
            None => self.exchange.script(),
        };
        if let Some(record) = &self.record {
            let mut record = record.borrow_mut();
            for Running { recorded, instance, .. } in self.stack.iter_mut().rev() {
                record.end(*recorded, instance, &self.exchange, Some(trap));
            }
            record.trap(name, trap);
        }
        let place = (name.to_owned(), trap.function.clone(), trap.at);
        scripts.trapped.say(place, &format!("script {name}: {trap}; answered 500"));
        self.stopped = Some(500);
        self.give_up(view);
    }

    /// End what runs, and keep its memory for others.
    fn give_up(&mut self, view: &View) {
        while let Some(Running { script, instance, .. }) = self.stack.pop() {
            view.give_instance(self.generation.number, script, instance);
        }
    }
}

fn find(scripts: &Scripts, script: Option<usize>, function: &str) -> Option<Place> {
    let script = script?;
    Some((script, scripts.list[script].callable(function)?))
}

/// What could not even begin counts as a trap.
fn not_started(function: &str, reason: &str) -> Event {
    let (reason, function) = (reason.to_owned(), function.to_owned());
    Event::Trapped(Box::new(Trap { kind: TrapKind::Helper, reason, function, at: 0, line: None }))
}
