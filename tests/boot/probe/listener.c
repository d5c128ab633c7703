// A service of a container that says who it is to whoever connects, and prints every datagram that reaches it.
//
//   listener NAME PORT
//
// TCP and UDP, IPv4 and IPv6, on all addresses of its network.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int bound(int type, int port) {
  struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = in6addr_any};
  int off = 0, on = 1, fd = socket(AF_INET6, type, 0);
  if (fd < 0 || setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off) ||
      setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) || bind(fd, (struct sockaddr *)&any, sizeof any)) {
    perror("listener");
    exit(1);
  }
  return fd;
}

int main(int argc, char **argv) {
  if (argc != 3) return 2;
  struct pollfd sockets[] = {{.fd = bound(SOCK_STREAM, atoi(argv[2])), .events = POLLIN},
                             {.fd = bound(SOCK_DGRAM, atoi(argv[2])), .events = POLLIN}};
  if (listen(sockets[0].fd, 16)) return 1;
  setvbuf(stdout, NULL, _IOLBF, 0);
  printf("%s listens\n", argv[1]);
  for (;;) {
    if (poll(sockets, 2, -1) < 0) return 1;
    if (sockets[0].revents) {
      int peer = accept(sockets[0].fd, NULL, NULL);
      if (peer >= 0) {
        dprintf(peer, "%s\n", argv[1]);
        printf("%s was connected to\n", argv[1]);
        close(peer);
      }
    }
    if (sockets[1].revents) {
      char text[256];
      ssize_t size = recv(sockets[1].fd, text, sizeof text - 1, 0);
      if (size >= 0) printf("%s heard %.*s\n", argv[1], (int)size, text);
    }
  }
}
