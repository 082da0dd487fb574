/* The least that a server can do: epoll, recv, send of a response made beforehand.
 *
 * It parses nothing and knows one file. What it costs per request is the system's share, which
 * no server on epoll gets below; the distance to it is what a server adds.
 *
 *     floor FILE      prints `listening on http://127.0.0.1:PORT` on standard error
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MAX_BODY = 4096, MAX_EVENTS = 256, MAX_REQUEST = 16384 };

static char response[MAX_BODY + 512];
static size_t response_len;

static void fail(const char *what) {
    perror(what);
    exit(1);
}

/* About as many fields as the other servers send. */
static void prepare(const char *path) {
    static char body[MAX_BODY];
    FILE *file = fopen(path, "rb");
    if (!file) fail(path);
    size_t len = fread(body, 1, sizeof body, file);
    fclose(file);
    int head = snprintf(response, 512,
        "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
        "Content-Type: text/plain; charset=utf-8\r\nContent-Length: %zu\r\n"
        "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
        "ETag: \"0123456789abcdef0123456789abcdef\"\r\nAccept-Ranges: bytes\r\n\r\n", len);
    for (size_t i = 0; i < len; i++) response[head + i] = body[i];
    response_len = head + len;
}

static int listen_anywhere(void) {
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t len = sizeof address;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(listener, (struct sockaddr *)&address, len) || listen(listener, 1024)) fail("listen");
    getsockname(listener, (struct sockaddr *)&address, &len);
    fprintf(stderr, "listening on http://127.0.0.1:%d\n", ntohs(address.sin_port));
    return listener;
}

static void watch(int epoll, int fd) {
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event)) fail("epoll_ctl");
}

int main(int argc, char **argv) {
    if (argc != 2) return 2;
    prepare(argv[1]);
    int listener = listen_anywhere();
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    watch(epoll, listener);
    for (;;) {
        struct epoll_event events[MAX_EVENTS];
        int count = epoll_wait(epoll, events, MAX_EVENTS, -1);
        for (int i = 0; i < count; i++) {
            int fd = events[i].data.fd, on = 1;
            char request[MAX_REQUEST];
            if (fd == listener) {
                fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
                if (fd < 0) continue;
                setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
                watch(epoll, fd);
            } else if (recv(fd, request, sizeof request, 0) <= 0 ||
                       send(fd, response, response_len, MSG_NOSIGNAL) < 0) {
                close(fd);
            }
        }
    }
}
