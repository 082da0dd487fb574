//! The engine, fed with frames made by hand.

use proptest::prelude::*;

use super::bounds::Bounds;
use super::engine::{Engine, Event};
use super::frame::{Code, Header, PREFACE, flag, kind, write_header, write_window};
use super::hpack::BlockCache;
use super::hpack::encode::encode_field;
use crate::request::HeadLimits;

const BOUNDS: Bounds = Bounds {
    head: HeadLimits { request_line_bytes: 200, header_bytes: 400, header_fields: 16 },
    streams: 4,
    stream_window: 100_000,
    connection_window: 200_000,
    continuations: 4,
    resets: 8,
    faults: 8,
    settings: 8,
    pings: 8,
    empty_frames: 8,
    other_frames: 8,
    small_frames: 8,
};

/// `:method: GET`, `:scheme: http`, `:path: /`.
const GET: &[u8] = &[0x82, 0x86, 0x84];

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    write_header(&mut out, payload.len(), kind, flags, stream);
    out.extend_from_slice(payload);
    out
}

fn get(stream: u32) -> Vec<u8> {
    frame(kind::HEADERS, flag::END_HEADERS | flag::END_STREAM, stream, GET)
}

/// A connection past its settings.
fn engine() -> Engine {
    let mut engine = Engine::new(BOUNDS, &mut Vec::new());
    let start = [PREFACE, &frame(kind::SETTINGS, 0, 0, &[])].concat();
    run(&mut engine, &start, 0);
    engine
}

/// Events of some frames but those of nothing, and what is sent.
fn run(engine: &mut Engine, mut input: &[u8], now_s: u64) -> (Vec<Event>, Vec<u8>) {
    let (mut events, mut out) = (Vec::new(), Vec::new());
    loop {
        let step = engine.step(input, now_s, &mut out);
        input = &input[step.used..];
        match step.event {
            Event::Incomplete => return (events, out),
            Event::Nothing => {}
            Event::Failed => {
                events.push(Event::Failed);
                return (events, out);
            }
            event => events.push(event),
        }
    }
}

/// Kinds and streams of frames, and the first number in each.
fn frames(mut out: &[u8]) -> Vec<(u8, u32, u32)> {
    let mut frames = Vec::new();
    while let Some(header) = Header::read(out) {
        let payload = &out[9..9 + header.len];
        let number = payload.first_chunk().map_or(0, |bytes| u32::from_be_bytes(*bytes));
        frames.push((header.kind, header.stream, number));
        out = &out[9 + header.len..];
    }
    assert!(out.is_empty());
    frames
}

/// The code that the connection ended with.
fn failure(engine: &mut Engine, input: &[u8]) -> Option<u32> {
    let (events, out) = run(engine, input, 0);
    events.contains(&Event::Failed).then(|| {
        assert!(engine.has_failed());
        u32::from_be_bytes(*out.last_chunk().unwrap())
    })
}

#[test]
fn a_request_and_its_answer() {
    let mut engine = engine();
    let (events, _) = run(&mut engine, &get(1), 0);
    assert_eq!(events, [Event::Request { stream: 1, ended: true, verdict: Ok(()) }]);
    let mut out = Vec::new();
    engine.respond(1, b"HTTP/1.1 200 OK\r\n", false, &mut BlockCache::default(), &mut out);
    assert_eq!((engine.room(1), engine.open_streams()), (16_384, 1));
    assert!(engine.data_header(1, 3, true, 0, &mut out));
    out.extend_from_slice(b"abc");
    engine.end_sending(1, &mut out);
    // The first block says that the table stays empty.
    let expected = [
        &frame(kind::HEADERS, flag::END_HEADERS, 1, &[0x20, 0x88])[..],
        &frame(kind::DATA, flag::END_STREAM, 1, b"abc"),
    ];
    assert_eq!(out, expected.concat());
    assert_eq!(engine.open_streams(), 0);
}

#[test]
fn the_rest_of_a_request_is_not_wanted() {
    let mut engine = engine();
    run(&mut engine, &frame(kind::HEADERS, flag::END_HEADERS, 1, GET), 0);
    let mut out = Vec::new();
    engine.respond(1, b"HTTP/1.1 200 OK\r\n", true, &mut BlockCache::default(), &mut out);
    assert_eq!(frames(&out)[1..], [(kind::RST_STREAM, 1, 0)]);
    // What was on its way is ignored, and gives its window back.
    let (events, _) = run(&mut engine, &frame(kind::DATA, 0, 1, &[0; 1000]), 0);
    assert_eq!(events, []);
}

#[test]
fn long_heads_are_continued() {
    let mut engine = engine();
    run(&mut engine, &get(1), 0);
    let head = format!("HTTP/1.1 200 OK\r\nx: {}\r\n", "~".repeat(40_000));
    let mut out = Vec::new();
    engine.respond(1, head.as_bytes(), true, &mut BlockCache::default(), &mut out);
    let kinds: Vec<_> = frames(&out).iter().map(|frame| frame.0).collect();
    assert_eq!(kinds, [kind::HEADERS, kind::CONTINUATION, kind::CONTINUATION]);
}

#[test]
fn windows() {
    let mut engine = engine();
    let initial = [&[0, 4][..], &10u32.to_be_bytes()].concat();
    run(&mut engine, &[frame(kind::SETTINGS, 0, 0, &initial), get(1)].concat(), 0);
    assert_eq!(engine.room(1), 10);
    engine.data_header(1, 10, false, 0, &mut Vec::new());
    engine.queue(1);
    assert_eq!((engine.room(1), engine.next_sender()), (0, None));
    let smaller = [&[0, 4][..], &5u32.to_be_bytes()].concat();
    let mut more = Vec::new();
    write_window(&mut more, 1, 7);
    run(&mut engine, &[frame(kind::SETTINGS, 0, 0, &smaller), more].concat(), 0);
    assert_eq!((engine.room(1), engine.next_sender()), (2, Some(1)));
}

#[test]
fn request_bodies_open_the_window_again() {
    let mut engine = engine();
    run(&mut engine, &frame(kind::HEADERS, flag::END_HEADERS, 1, GET), 0);
    let mut updates = [0u64; 2];
    for _ in 0..100 {
        let (events, out) = run(&mut engine, &frame(kind::DATA, 0, 1, &[0; 10_000]), 0);
        assert_eq!(events, [Event::Data { stream: 1, content: 9..10_009, ended: false }]);
        for (kind, stream, more) in frames(&out) {
            assert_eq!(kind, kind::WINDOW_UPDATE);
            updates[stream as usize] += u64::from(more);
        }
    }
    assert!(updates.iter().all(|sum| (900_000..=1_000_000).contains(sum)), "{updates:?}");
}

#[test]
fn the_order_of_sending() {
    let mut engine = engine();
    let mut input = Vec::new();
    for (stream, priority) in [(1, "u=3"), (3, "u=5, i"), (5, "u=5, i"), (7, "u=1")] {
        let mut block = GET.to_vec();
        encode_field(b"priority", priority.as_bytes(), &mut block);
        let flags = flag::END_HEADERS | flag::END_STREAM;
        input.extend(frame(kind::HEADERS, flags, stream, &block));
    }
    run(&mut engine, &input, 0);
    for stream in [1, 3, 5, 7] {
        engine.queue(stream);
    }
    let mut order = Vec::new();
    for sent in 0..8 {
        let stream = engine.next_sender().unwrap();
        order.push(stream);
        let last = matches!(stream, 1 | 7) && sent % 2 == 1;
        engine.data_header(stream, 300, last, 0, &mut Vec::new());
        if last {
            engine.end_sending(stream, &mut Vec::new());
        }
    }
    assert_eq!(order, [7, 7, 1, 1, 3, 5, 3, 5]);
    let update = [&3u32.to_be_bytes()[..], b"u=0"].concat();
    run(&mut engine, &frame(kind::PRIORITY_UPDATE, 0, 0, &update), 0);
    assert_eq!(engine.next_sender(), Some(3));
}

#[test]
fn errors_of_connections() {
    let reset = frame(kind::RST_STREAM, 0, 1, &[0; 4]);
    for (input, code) in [
        (frame(kind::DATA, 0, 0, b"x"), Code::Protocol),
        (frame(kind::DATA, 0, 1, b"x"), Code::Protocol),
        (frame(kind::HEADERS, 0, 2, GET), Code::Protocol),
        (frame(kind::HEADERS, 4, 1, &[0x80]), Code::Compression),
        (frame(kind::CONTINUATION, 4, 1, GET), Code::Protocol),
        ([frame(kind::HEADERS, 0, 1, GET), get(3)].concat(), Code::Protocol),
        ([get(5), get(3)].concat(), Code::Protocol),
        ([get(1), reset.clone(), get(1)].concat(), Code::StreamClosed),
        (frame(kind::PUSH_PROMISE, 4, 1, GET), Code::Protocol),
        (frame(kind::SETTINGS, 0, 0, b"12345"), Code::FrameSize),
        (frame(kind::SETTINGS, 1, 0, b"123456"), Code::FrameSize),
        (frame(kind::SETTINGS, 0, 1, &[]), Code::Protocol),
        (frame(kind::SETTINGS, 0, 0, &[0, 2, 0, 0, 0, 2]), Code::Protocol),
        (frame(kind::SETTINGS, 0, 0, &[0, 4, 0x80, 0, 0, 0]), Code::FlowControl),
        (frame(kind::SETTINGS, 0, 0, &[0, 5, 0, 0, 0, 1]), Code::Protocol),
        (frame(kind::PING, 0, 0, b"1234567"), Code::FrameSize),
        (frame(kind::PING, 0, 1, b"12345678"), Code::Protocol),
        (frame(kind::WINDOW_UPDATE, 0, 0, &[0; 4]), Code::Protocol),
        (frame(kind::WINDOW_UPDATE, 0, 1, &[0, 0, 0, 1]), Code::Protocol),
        (frame(kind::WINDOW_UPDATE, 0, 0, &[0x7f, 0xff, 0xff, 0xff]), Code::FlowControl),
        (reset, Code::Protocol),
        (frame(kind::GOAWAY, 0, 1, &[0; 8]), Code::Protocol),
        (frame(kind::PRIORITY_UPDATE, 0, 1, &[0; 4]), Code::Protocol),
        (frame(kind::HEADERS, 0x0c, 1, &[9, 0x82]), Code::Protocol),
        (vec![0xff; 9], Code::FrameSize),
    ] {
        assert_eq!(failure(&mut engine(), &input), Some(code as u32), "{input:x?}");
    }
    let mut fresh = Engine::new(BOUNDS, &mut Vec::new());
    assert_eq!(failure(&mut fresh, b"GET / HTTP/1.1\r\n"), Some(1));
    let mut fresh = Engine::new(BOUNDS, &mut Vec::new());
    assert_eq!(failure(&mut fresh, &[PREFACE, &get(1)].concat()), Some(1));
}

#[test]
fn errors_of_streams() {
    for (after, code) in [
        (frame(kind::DATA, 0, 1, b"x"), Code::StreamClosed),
        (get(1), Code::StreamClosed),
        (frame(kind::WINDOW_UPDATE, 0, 1, &[0; 4]), Code::Protocol),
        (frame(kind::WINDOW_UPDATE, 0, 1, &[0x7f, 0xff, 0xff, 0xff]), Code::FlowControl),
        (frame(kind::PRIORITY, 0, 1, &[0; 4]), Code::FrameSize),
        (frame(kind::PRIORITY, 0, 1, &[0, 0, 0, 1, 0]), Code::Protocol),
    ] {
        let mut engine = engine();
        run(&mut engine, &get(1), 0);
        let (events, out) = run(&mut engine, &after, 0);
        assert_eq!(events, [Event::Gone { stream: 1 }], "{after:x?}");
        assert_eq!(frames(&out), [(kind::RST_STREAM, 1, code as u32)]);
        // The others go on.
        assert_eq!(run(&mut engine, &get(3), 0).0.len(), 1);
    }
}

#[test]
fn counted_frames() {
    let reset = |stream| [get(stream), frame(kind::RST_STREAM, 0, stream, &[0; 4])].concat();
    let fault = |stream| frame(kind::HEADERS, 5, stream, &[0x82]);
    let ping = |_| frame(kind::PING, 0, 0, &[0; 8]);
    let settings = |_| frame(kind::SETTINGS, 0, 0, &[]);
    let empty = |_| frame(kind::DATA, 0, 1, &[]);
    let unknown = |_| frame(0xff, 0, 0, &[]);
    type Make<'a> = &'a dyn Fn(u32) -> Vec<u8>;
    let made: [(&str, Make<'_>); 6] = [
        ("resets", &reset),
        ("faults", &fault),
        ("pings", &ping),
        ("settings", &settings),
        ("empty", &empty),
        ("unknown", &unknown),
    ];
    for (name, make) in made {
        let mut engine = engine();
        if name == "empty" {
            run(&mut engine, &frame(kind::HEADERS, flag::END_HEADERS, 1, GET), 0);
        }
        let (mut at, mut now_s) = (0, 0);
        let mut next = |engine: &mut Engine, now_s| {
            at += 1;
            run(engine, &make(2 * at + 1), now_s).0.contains(&Event::Failed)
        };
        for _ in 0..5 {
            // Half as many as are allowed in each time, for ever.
            for _ in 0..4 {
                assert!(!next(&mut engine, now_s), "{name}");
            }
            now_s += super::bounds::COUNTED_S;
        }
        let failed = (0..9).position(|_| next(&mut engine, now_s));
        assert_eq!(failed, Some(8), "{name}");
    }
}

#[test]
fn refused_streams_and_the_end() {
    let mut engine = engine();
    let input: Vec<u8> = [1, 3, 5, 7, 9].into_iter().flat_map(get).collect();
    let (events, out) = run(&mut engine, &input, 0);
    assert_eq!(events.len(), 4);
    assert_eq!(frames(&out), [(kind::RST_STREAM, 9, Code::RefusedStream as u32)]);
    let mut out = Vec::new();
    engine.begin_drain(&mut out);
    assert_eq!(frames(&out)[0], (kind::GOAWAY, 0, 0x7fff_ffff));
    engine.reset(1, Code::Cancel, &mut Vec::new());
    // The client has not heard yet.
    assert_eq!(run(&mut engine, &get(11), 0).0.len(), 1);
    let pong = [&frame(kind::PING, flag::ACK, 0, &out[out.len() - 8..])[..], &get(13)].concat();
    let (events, out) = run(&mut engine, &pong, 0);
    assert_eq!((events.len(), frames(&out)), (0, vec![(kind::GOAWAY, 0, 11)]));
    assert!(engine.takes_no_more());
}

proptest! {
    /// Any frames are taken in any pieces with the same result, and windows never go wrong.
    #[test]
    fn frames_in_pieces(
        kinds in prop::collection::vec(
            (0u8..18, any::<u8>(), 0u32..10, prop::collection::vec(any::<u8>(), 0..20)), 1..30
        ),
        piece in 1usize..50,
    ) {
        let mut input = Vec::new();
        for (kind, flags, stream, payload) in kinds {
            let request = kind == kind::HEADERS && flags & 0x28 == 0;
            input.extend(frame(kind, flags, stream, if request { GET } else { &payload }));
        }
        let mut whole = engine();
        let expected = run(&mut whole, &input, 0);
        let mut pieces = engine();
        let (mut events, mut out, mut held) = (Vec::new(), Vec::new(), Vec::new());
        for part in input.chunks(piece) {
            held.extend_from_slice(part);
            loop {
                let step = pieces.step(&held, 0, &mut out);
                held.drain(..step.used);
                match step.event {
                    Event::Incomplete => break,
                    Event::Nothing => {}
                    Event::Failed => {
                        events.push(Event::Failed);
                        break;
                    }
                    event => events.push(event),
                }
            }
            if pieces.has_failed() {
                break;
            }
        }
        prop_assert_eq!((events, &out), (expected.0, &expected.1));
        frames(&out);
        prop_assert!(pieces.open_streams() <= 4);
    }
}
