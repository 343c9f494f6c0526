/* One answer for everybody, on $PORT. */
#include <arpa/inet.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void stop(int signal) {
    (void)signal;
    _exit(0);
}

int main(void) {
    const char *port = getenv("PORT");
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port ? atoi(port) : 8080)};
    int listening = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    signal(SIGTERM, stop);
    signal(SIGPIPE, SIG_IGN);
    setsockopt(listening, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listening, (struct sockaddr *)&address, sizeof address) || listen(listening, 16)) return 1;
    for (;;) {
        static const char body[] = "Hello from c-from-scratch\n";
        static const char head[] = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n";
        char request[4096];
        int visitor = accept(listening, 0, 0);
        if (visitor < 0) continue;
        if (read(visitor, request, sizeof request) > 0 && write(visitor, head, strlen(head)) > 0) {
            if (write(visitor, body, strlen(body)) < 0) continue;
        }
        shutdown(visitor, SHUT_WR);
        close(visitor);
    }
}
