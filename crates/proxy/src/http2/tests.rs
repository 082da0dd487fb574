//! Against servers made with the server side of the same library, each in a task of the test.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream};
use http::{Request, Response};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{LocalOptions, LocalRuntime};
use zeroserve_http::body::Framing;

use super::connections::MAX_CONNECTIONS;
use crate::{Asked, Cause, Failure, Head, Outgoing, Passage, Phase, Timeouts, Upstreams};

fn run<F: Future>(future: F) -> F::Output {
    let runtime: LocalRuntime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build_local(LocalOptions::default())
        .unwrap();
    let limited = async { tokio::time::timeout(Duration::from_secs(30), future).await.unwrap() };
    runtime.block_on(limited)
}

type Exchange = (Request<RecvStream>, SendResponse<Bytes>);

/// A server that answers each request with `answer`; how many connections it has had.
async fn serve<F, A>(builder: h2::server::Builder, answer: F) -> (String, Rc<Cell<usize>>)
where
    F: Fn(Exchange) -> A + 'static,
    A: Future<Output = ()> + 'static,
{
    let answer = Rc::new(answer);
    serve_raw(move |stream| {
        let (builder, answer) = (builder.clone(), Rc::clone(&answer));
        async move {
            let Ok(mut connection) = builder.handshake(stream).await else { return };
            while let Some(Ok(exchange)) = connection.accept().await {
                tokio::task::spawn_local(answer(exchange));
            }
        }
    })
    .await
}

async fn serve_raw<F, A>(talk: F) -> (String, Rc<Cell<usize>>)
where
    F: Fn(TcpStream) -> A + 'static,
    A: Future<Output = ()> + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("h2c://{}", listener.local_addr().unwrap());
    let count = Rc::new(Cell::new(0));
    let counted = Rc::clone(&count);
    tokio::task::spawn_local(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            counted.set(counted.get() + 1);
            tokio::task::spawn_local(talk(stream));
        }
    });
    (url, count)
}

fn ok() -> Response<()> {
    Response::new(())
}

#[derive(Debug)]
struct Answer {
    head: Head,
    interim: Vec<Head>,
    content: Vec<u8>,
    trailers: String,
}

fn passage(upstreams: &Rc<Upstreams>, url: &str, method: &str, framing: Framing) -> Passage {
    let length = match framing {
        Framing::Length(length) => format!("Content-Length: {length}\r\n"),
        _ => String::new(),
    };
    let head = format!("{method} /a?b HTTP/1.1\r\nHost: a.test\r\nX: y\r\n{length}\r\n");
    let asked = Asked { is_head: method == "HEAD", ..Asked::default() };
    let host = head.find("a.test").map_or(0..0, |at| at..at + 6);
    let head = head.into_bytes();
    let request = Outgoing { head, framing, asked, method_len: method.len(), host };
    Passage::new(upstreams, upstreams.route(url).unwrap(), request, Timeouts::default())
}

/// Give `body` and take the answer.
async fn finish(mut passage: Passage, mut body: &[u8], trailers: &[u8]) -> Result<Answer, Failure> {
    let (mut head, mut interim, mut content) = (None, Vec::new(), Vec::new());
    let mut ended = false;
    poll_fn(|cx| {
        loop {
            let mut any = passage.poll(cx);
            let room = passage.room().min(body.len());
            if room > 0 {
                passage.upload(&body[..room]);
                body = &body[room..];
                any = true;
            }
            if body.is_empty() && !ended {
                passage.end_upload(trailers);
                (ended, any) = (true, true);
            }
            while let Some(early) = passage.interim() {
                interim.push(early);
            }
            if let Some(found) = passage.head() {
                (head, any) = (Some(found), true);
            }
            while !passage.content().is_empty() {
                let len = passage.content().len();
                content.extend_from_slice(passage.content());
                passage.consume(len);
                any = true;
            }
            if let Some(Failure { phase, cause }) = passage.failure() {
                let cause = Cause::Other(cause.to_string());
                return std::task::Poll::Ready(Err(Failure::new(*phase, cause)));
            }
            if passage.is_done() {
                return std::task::Poll::Ready(Ok(()));
            }
            if !any {
                return std::task::Poll::Pending;
            }
        }
    })
    .await?;
    let trailers = String::from_utf8(passage.trailers().to_vec()).unwrap();
    Ok(Answer { head: head.unwrap(), interim, content, trailers })
}

async fn get(upstreams: &Rc<Upstreams>, url: &str) -> Result<Answer, Failure> {
    finish(passage(upstreams, url, "GET", Framing::None), b"", b"").await
}

async fn read_all(mut body: RecvStream) -> (Vec<u8>, http::HeaderMap) {
    let mut all = Vec::new();
    while let Some(Ok(piece)) = body.data().await {
        all.extend_from_slice(&piece);
        body.flow_control().release_capacity(piece.len()).unwrap();
    }
    (all, body.trailers().await.ok().flatten().unwrap_or_default())
}

fn new() -> h2::server::Builder {
    h2::server::Builder::new()
}

#[test]
fn a_request_and_its_answer() {
    run(async {
        let (url, count) = serve(new(), |(request, mut respond)| async move {
            assert_eq!(request.uri(), "http://a.test/a?b");
            assert_eq!(request.headers()["x"], "y");
            assert_eq!(request.headers()["te"], "trailers");
            let interim = Response::builder().status(103).header("link", "</a>").body(()).unwrap();
            respond.send_informational(interim).unwrap();
            let response = Response::builder().header("kind", "one").header("date", "now");
            let mut stream = respond.send_response(response.body(()).unwrap(), false).unwrap();
            stream.send_data(Bytes::from_static(b"hel"), false).unwrap();
            stream.send_data(Bytes::from_static(b"lo"), false).unwrap();
            let mut trailers = http::HeaderMap::new();
            trailers.insert("grpc-status", "0".parse().unwrap());
            stream.send_trailers(trailers).unwrap();
        })
        .await;
        let upstreams = Rc::new(Upstreams::default());
        for _ in 0..3 {
            let answer = get(&upstreams, &url).await.unwrap();
            assert_eq!((answer.head.status, answer.head.length), (200, None));
            assert_eq!(answer.head.fields, b"kind: one\r\ndate: now\r\n");
            assert!(answer.head.has_date && answer.head.has_content);
            assert_eq!(answer.content, b"hello");
            assert_eq!(answer.trailers, "grpc-status: 0\r\n");
            assert_eq!(answer.interim.len(), 1);
            assert_eq!(answer.interim[0].fields, b"link: </a>\r\n");
        }
        assert_eq!(count.get(), 1);
    });
}

#[test]
fn bodies_of_requests() {
    run(async {
        let (url, _) = serve(new(), |(request, mut respond)| async move {
            let length = request.headers().get("content-length").cloned();
            let (body, trailers) = read_all(request.into_body()).await;
            let mut response = ok();
            if let Some(length) = length {
                response.headers_mut().insert("was", length);
            }
            response.headers_mut().extend(trailers);
            let mut stream = respond.send_response(response, false).unwrap();
            stream.send_data(body.into(), true).unwrap();
        })
        .await;
        let upstreams = Rc::new(Upstreams::default());
        let body: Vec<u8> = (0..500_000_u32).map(|at| (at % 251) as u8).collect();
        let framing = Framing::Length(body.len() as u64);
        let answer = finish(passage(&upstreams, &url, "POST", framing), &body, b"").await.unwrap();
        assert!(answer.content == body);
        assert_eq!(answer.head.fields, b"was: 500000\r\n");
        let post = passage(&upstreams, &url, "POST", Framing::Chunked);
        let answer = finish(post, &body, b"Sum: 7\r\n").await.unwrap();
        assert!(answer.content == body);
        assert_eq!(answer.head.fields, b"sum: 7\r\n");
        let empty = passage(&upstreams, &url, "POST", Framing::Length(0));
        assert_eq!(finish(empty, b"", b"").await.unwrap().content, b"");
    });
}

#[test]
fn responses_without_content() {
    run(async {
        let (url, _) = serve(new(), |(request, mut respond)| async move {
            let is_head = request.method() == "HEAD";
            let response = Response::builder()
                .status(if is_head { 200 } else { 304 })
                .header("content-length", "10")
                .body(())
                .unwrap();
            let mut stream = respond.send_response(response, false).unwrap();
            if is_head {
                // It ends in a frame of its own.
                stream.send_data(Bytes::new(), true).unwrap();
            } else {
                tokio::time::sleep(Duration::from_millis(20)).await;
                stream.send_reset(Reason::NO_ERROR);
            }
        })
        .await;
        let upstreams = Rc::new(Upstreams::default());
        let head = passage(&upstreams, &url, "HEAD", Framing::None);
        let answer = finish(head, b"", b"").await.unwrap();
        assert_eq!((answer.head.length, answer.head.has_content), (Some(10), false));
        let failure = get(&upstreams, &url).await.unwrap_err();
        assert_eq!(failure.phase, Phase::Body);
    });
}

/// Sends as much as it is let.
async fn pour(mut stream: h2::SendStream<Bytes>, mut left: usize, sent: Rc<Cell<usize>>) {
    while left > 0 {
        stream.reserve_capacity(left.min(16 * 1024));
        let Some(Ok(room)) = poll_fn(|cx| stream.poll_capacity(cx)).await else { return };
        let len = room.min(left);
        left -= len;
        sent.set(sent.get() + len);
        stream.send_data(vec![7; len].into(), left == 0).unwrap();
    }
}

#[test]
fn who_reads_slowly_slows_the_upstream_and_nobody_else() {
    const BODY: usize = 3_000_000;
    run(async {
        let sent = Rc::new(Cell::new(0));
        let counted = Rc::clone(&sent);
        let (url, count) = serve(new(), move |(_, mut respond)| {
            let stream = respond.send_response(ok(), false).unwrap();
            pour(stream, BODY, Rc::clone(&counted))
        })
        .await;
        let upstreams = Rc::new(Upstreams::default());
        let mut slow: Vec<Passage> =
            (0..30).map(|_| passage(&upstreams, &url, "GET", Framing::None)).collect();
        // Nothing of theirs is taken.
        for passage in &mut slow {
            poll_fn(|cx| {
                while passage.poll(cx) {}
                match passage.content().is_empty() {
                    true => std::task::Poll::Pending,
                    false => std::task::Poll::Ready(()),
                }
            })
            .await;
        }
        let answer = get(&upstreams, &url).await.unwrap();
        assert_eq!(answer.content.len(), BODY);
        let window = super::connections::STREAM_WINDOW as usize;
        assert!(sent.get() <= BODY + 30 * window, "{}", sent.get());
        for passage in slow.drain(..5) {
            assert_eq!(finish(passage, b"", b"").await.unwrap().content.len(), BODY);
        }
        assert_eq!(count.get(), 1);
        // What others have not taken is forgotten with them.
        drop(slow);
        for _ in 0..10 {
            assert_eq!(get(&upstreams, &url).await.unwrap().content.len(), BODY);
        }
    });
}

#[test]
fn an_upstream_that_does_not_read() {
    run(async {
        let go = Rc::new(tokio::sync::Notify::new());
        let wait = Rc::clone(&go);
        let (url, _) = serve(new(), move |(request, mut respond)| {
            let wait = Rc::clone(&wait);
            async move {
                wait.notified().await;
                let (body, _) = read_all(request.into_body()).await;
                let response = Response::builder().header("len", body.len()).body(()).unwrap();
                respond.send_response(response, true).unwrap();
            }
        })
        .await;
        let upstreams = Rc::new(Upstreams::default());
        let mut post = passage(&upstreams, &url, "POST", Framing::Chunked);
        let mut taken = 0;
        // It takes what is bounded, and then no more for a while.
        let full = async {
            let mut quiet = 0;
            while quiet < 20 {
                let before = taken;
                poll_fn(|cx| {
                    while post.poll(cx) {}
                    std::task::Poll::Ready(())
                })
                .await;
                let room = post.room();
                post.upload(&vec![1; room]);
                taken += room;
                quiet = if taken == before { quiet + 1 } else { 0 };
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        full.await;
        assert!(taken < 512 * 1024, "{taken}");
        go.notify_one();
        let answer = finish(post, &[2; 100_000], b"").await.unwrap();
        assert_eq!(answer.head.fields, format!("len: {}\r\n", taken + 100_000).into_bytes());
    });
}

#[test]
fn an_answer_before_the_body_was_read() {
    run(async {
        let (url, _) = serve(new(), |(_, mut respond)| async move {
            let response = Response::builder().status(413).body(()).unwrap();
            let mut stream = respond.send_response(response, false).unwrap();
            stream.send_data(Bytes::from_static(b"too much"), true).unwrap();
        })
        .await;
        let upstreams = Rc::new(Upstreams::default());
        let post = passage(&upstreams, &url, "POST", Framing::Chunked);
        let answer = finish(post, &vec![0; 3_000_000], b"").await.unwrap();
        assert_eq!((answer.head.status, &answer.content[..]), (413, &b"too much"[..]));
    });
}

#[test]
fn many_at_a_time() {
    run(async {
        let mut builder = new();
        builder.max_concurrent_streams(20);
        let (most, now) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
        let (top, running) = (Rc::clone(&most), Rc::clone(&now));
        let (url, count) = serve(builder, move |(request, mut respond)| {
            let (top, running) = (Rc::clone(&top), Rc::clone(&running));
            async move {
                running.set(running.get() + 1);
                top.set(top.get().max(running.get()));
                let (body, _) = read_all(request.into_body()).await;
                tokio::time::sleep(Duration::from_millis(5)).await;
                running.set(running.get() - 1);
                let mut stream = respond.send_response(ok(), false).unwrap();
                stream.send_data(body.into(), true).unwrap();
            }
        })
        .await;
        let upstreams = Rc::new(Upstreams::default());
        // The first one learns how many there may be.
        get(&upstreams, &url).await.unwrap();
        let tasks: Vec<_> = (0..1000_usize)
            .map(|at| {
                let (upstreams, url) = (Rc::clone(&upstreams), url.clone());
                tokio::task::spawn_local(async move {
                    let body = vec![at as u8; at * 10];
                    let framing = Framing::Length(body.len() as u64);
                    let post = passage(&upstreams, &url, "POST", framing);
                    assert!(finish(post, &body, b"").await.unwrap().content == body);
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        assert!(count.get() > 1 && count.get() <= MAX_CONNECTIONS, "{}", count.get());
        assert!(most.get() > 20, "{}", most.get());
    });
}

#[test]
fn what_nobody_has_looked_at_is_asked_again() {
    run(async {
        let seen = Rc::new(Cell::new(0));
        let count = Rc::clone(&seen);
        let (url, _) = serve(new(), move |(request, mut respond)| {
            count.set(count.get() + 1);
            let refuse = count.get() < 3;
            async move {
                if refuse {
                    return respond.send_reset(Reason::REFUSED_STREAM);
                }
                let (body, _) = read_all(request.into_body()).await;
                let mut stream = respond.send_response(ok(), false).unwrap();
                stream.send_data(body.into(), true).unwrap();
            }
        })
        .await;
        let upstreams = Rc::new(Upstreams::default());
        let post = passage(&upstreams, &url, "POST", Framing::Chunked);
        assert_eq!(finish(post, b"body", b"").await.unwrap().content, b"body");
        assert_eq!(seen.get(), 3);
    });
}

#[test]
fn but_not_for_ever() {
    run(async {
        let seen = Rc::new(Cell::new(0));
        let count = Rc::clone(&seen);
        let (url, _) = serve(new(), move |(_, mut respond)| {
            count.set(count.get() + 1);
            async move { respond.send_reset(Reason::REFUSED_STREAM) }
        })
        .await;
        let failure = get(&Rc::new(Upstreams::default()), &url).await.unwrap_err();
        assert_eq!(failure.phase, Phase::Head);
        assert!(failure.to_string().starts_with("head: it ended the stream: "), "{failure}");
        assert!(seen.get() < 10);
    });
}

#[test]
fn resets() {
    run(async {
        let (url, _) = serve(new(), |(request, mut respond)| async move {
            if request.method() == "GET" {
                let mut stream = respond.send_response(ok(), false).unwrap();
                stream.send_data(Bytes::from_static(b"half"), false).unwrap();
                tokio::time::sleep(Duration::from_millis(20)).await;
                stream.send_reset(Reason::INTERNAL_ERROR);
            } else {
                respond.send_reset(Reason::INTERNAL_ERROR);
            }
        })
        .await;
        let upstreams = Rc::new(Upstreams::default());
        let failure = get(&upstreams, &url).await.unwrap_err();
        assert_eq!(failure.phase, Phase::Body);
        let post = passage(&upstreams, &url, "POST", Framing::Length(4));
        let failure = finish(post, b"body", b"").await.unwrap_err();
        assert_ne!(failure.phase, Phase::Body);
        assert_eq!(failure.status(), 502);
    });
}

#[test]
fn content_of_another_length() {
    run(async {
        let (url, _) = serve(new(), |(request, mut respond)| async move {
            let response = Response::builder().header("content-length", "5").body(()).unwrap();
            let mut stream = respond.send_response(response, false).unwrap();
            let content: &[u8] = if request.method() == "GET" { b"hell" } else { b"hello!" };
            stream.send_data(Bytes::from_static(content), true).unwrap();
        })
        .await;
        let upstreams = Rc::new(Upstreams::default());
        for method in ["GET", "DELETE"] {
            let asked = passage(&upstreams, &url, method, Framing::None);
            let failure = finish(asked, b"", b"").await.unwrap_err();
            assert_eq!(failure.to_string().split(':').nth(1), Some(" its HTTP/2 is not valid"));
        }
    });
}

#[test]
fn a_body_that_is_shorter_than_announced_is_not_ended() {
    run(async {
        let ends = Rc::new(RefCell::new(Vec::new()));
        let list = Rc::clone(&ends);
        let (url, _) = serve(new(), move |(request, _respond)| {
            let list = Rc::clone(&list);
            async move {
                let mut body = request.into_body();
                while let Some(piece) = body.data().await {
                    list.borrow_mut().push(piece.map_err(|error| error.reason()));
                    if list.borrow().last().is_some_and(Result::is_err) {
                        break;
                    }
                }
            }
        })
        .await;
        let upstreams = Rc::new(Upstreams::default());
        let post = passage(&upstreams, &url, "POST", Framing::Length(10));
        finish(post, b"body", b"").await.unwrap_err();
        while ends.borrow().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert_eq!(ends.borrow().last(), Some(&Err(Some(Reason::CANCEL))));
    });
}

#[test]
fn heads_that_are_too_long() {
    run(async {
        let (url, _) = serve(new(), |(_, mut respond)| async move {
            let response =
                Response::builder().header("long", "x".repeat(100_000)).body(()).unwrap();
            let _ = respond.send_response(response, true);
        })
        .await;
        let failure = get(&Rc::new(Upstreams::default()), &url).await.unwrap_err();
        assert_eq!(failure.phase, Phase::Head);
    });
}

#[test]
fn interim_responses_without_end() {
    run(async {
        let (url, _) = serve(new(), |(_, mut respond)| async move {
            for _ in 0..100 {
                let interim = Response::builder().status(103).body(()).unwrap();
                if respond.send_informational(interim).is_err() {
                    break;
                }
            }
        })
        .await;
        let failure = get(&Rc::new(Upstreams::default()), &url).await.unwrap_err();
        assert_eq!(failure.to_string(), "head: it sends interim responses without end");
    });
}

#[test]
fn a_connection_that_says_goodbye() {
    run(async {
        let (url, count) = serve_raw(|stream| async move {
            let mut connection = new().handshake::<_, Bytes>(stream).await.unwrap();
            let mut first = true;
            while let Some(Ok((_, mut respond))) = connection.accept().await {
                if std::mem::take(&mut first) {
                    connection.graceful_shutdown();
                }
                let mut stream = respond.send_response(ok(), false).unwrap();
                stream.send_data(Bytes::from_static(b"bye"), true).unwrap();
            }
        })
        .await;
        let upstreams = Rc::new(Upstreams::default());
        for _ in 0..5 {
            assert_eq!(get(&upstreams, &url).await.unwrap().content, b"bye");
            let post = passage(&upstreams, &url, "POST", Framing::Chunked);
            assert_eq!(finish(post, b"x", b"").await.unwrap().content, b"bye");
        }
        assert!(count.get() > 1);
    });
}

#[test]
fn a_connection_that_breaks() {
    run(async {
        let (url, count) = serve_raw(|stream| async move {
            let mut connection = new().handshake::<_, Bytes>(stream).await.unwrap();
            let Some(Ok((request, mut respond))) = connection.accept().await else { return };
            if request.method() == "GET" {
                let mut stream = respond.send_response(ok(), false).unwrap();
                stream.send_data(Bytes::from_static(b"half"), false).unwrap();
                let going = poll_fn(|cx| connection.poll_closed(cx));
                let _ = tokio::time::timeout(Duration::from_millis(20), going).await;
            }
        })
        .await;
        let upstreams = Rc::new(Upstreams::default());
        let failure = get(&upstreams, &url).await.unwrap_err();
        assert_eq!(failure.to_string(), "body: the connection was closed");
        let post = passage(&upstreams, &url, "POST", Framing::Length(4));
        let failure = finish(post, b"body", b"").await.unwrap_err();
        assert_ne!(failure.phase, Phase::Body);
        assert_eq!(count.get(), 2);
    });
}

#[test]
fn who_does_not_speak_http2() {
    run(async {
        let (url, _) = serve_raw(|mut stream| async move {
            let _ = stream.read(&mut [0; 1024]).await;
            let _ =
                stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n").await;
            let _ = stream.read(&mut [0; 1024]).await;
        })
        .await;
        let failure = get(&Rc::new(Upstreams::default()), &url).await.unwrap_err();
        assert!(failure.to_string().starts_with("head: its HTTP/2 is not valid: "), "{failure}");
    });
}

#[test]
fn idle_connections_are_closed() {
    run(async {
        let ended = Rc::new(tokio::sync::Notify::new());
        let tell = Rc::clone(&ended);
        let (url, count) = serve_raw(move |stream| {
            let tell = Rc::clone(&tell);
            async move {
                let mut connection = new().handshake::<_, Bytes>(stream).await.unwrap();
                while let Some(Ok((_, mut respond))) = connection.accept().await {
                    respond.send_response(ok(), true).unwrap();
                }
                tell.notify_one();
            }
        })
        .await;
        let upstreams = Rc::new(Upstreams::default());
        assert!(!upstreams.has_idle());
        get(&upstreams, &url).await.unwrap();
        assert!(upstreams.has_idle());
        upstreams.sweep(1);
        upstreams.sweep(30);
        get(&upstreams, &url).await.unwrap();
        upstreams.sweep(61);
        upstreams.sweep(90);
        assert_eq!(count.get(), 1);
        assert!(upstreams.has_idle());
        upstreams.sweep(200);
        assert!(!upstreams.has_idle());
        ended.notified().await;
        get(&upstreams, &url).await.unwrap();
        assert_eq!(count.get(), 2);
    });
}

#[test]
fn dropped_half_way() {
    run(async {
        let (reset, at) = (Rc::new(tokio::sync::Notify::new()), Rc::new(Cell::new(0)));
        let (tell, seen) = (Rc::clone(&reset), Rc::clone(&at));
        let (url, count) = serve(new(), move |(_, mut respond)| {
            seen.set(seen.get() + 1);
            let tell = Rc::clone(&tell);
            async move {
                let mut stream = respond.send_response(ok(), false).unwrap();
                stream.send_data(Bytes::from_static(b"part"), false).unwrap();
                let reason = poll_fn(|cx| stream.poll_reset(cx)).await;
                assert_eq!(reason.unwrap(), Reason::CANCEL);
                tell.notify_one();
            }
        })
        .await;
        let upstreams = Rc::new(Upstreams::default());
        for _ in 0..3 {
            let mut asked = passage(&upstreams, &url, "GET", Framing::None);
            poll_fn(|cx| {
                while asked.poll(cx) {}
                match asked.content().is_empty() {
                    true => std::task::Poll::Pending,
                    false => std::task::Poll::Ready(()),
                }
            })
            .await;
            drop(asked);
            reset.notified().await;
        }
        assert_eq!((count.get(), at.get()), (1, 3));
    });
}
