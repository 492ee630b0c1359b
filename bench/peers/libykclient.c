/*
 * Verifies the OTPs of its input, one per line, at validation servers with libykclient, and prints the milliseconds that
 * each took. Arguments: CLIENT_ID API_KEY URL...
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <ykclient.h>

static void check(ykclient_rc rc, const char *what)
{
  if (rc == YKCLIENT_OK) return;
  fprintf(stderr, "%s: %s\n", what, ykclient_strerror(rc));
  exit(1);
}

static double now(void)
{
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1e3 + time.tv_nsec / 1e6;
}

int main(int argc, char **argv)
{
  ykclient_t *client;
  ykclient_handle_t *handle;
  char otp[64];

  if (argc < 4) return 2;
  check(ykclient_global_init(), "global_init");
  check(ykclient_init(&client), "init");
  check(ykclient_set_client_b64(client, atoi(argv[1]), argv[2]), "set_client_b64");
  check(ykclient_set_url_bases(client, argc - 3, (const char **) argv + 3), "set_url_bases");
  ykclient_set_verify_signature(client, 1);
  check(ykclient_handle_init(client, &handle), "handle_init");
  while (fgets(otp, sizeof otp, stdin)) {
    otp[strcspn(otp, "\n")] = 0;
    double before = now();
    check(ykclient_request_process(client, handle, otp), "request_process");
    printf("%f\n", now() - before);
    ykclient_handle_cleanup(handle);
  }
  ykclient_handle_done(&handle);
  ykclient_done(&client);
  ykclient_global_done();
  return 0;
}
