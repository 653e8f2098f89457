/* Stands between the real binary and the C library (LD_PRELOAD), and counts what it does to the disk and to its receivers: one counter over
 * all threads. At the step that the test names it kills the process, or lets the call fail; and it can set the wall clock.
 *
 * A step is a call that changes something: opening for writing, writing, synchronising, truncating, renaming, linking, removing, making a
 * folder, connecting, sending. Only what lies in the test's folder counts, which is the working directory; what is only read does not.
 * Every step is a line in a log, so that a failing test can say where it killed.
 *
 *   INTERPOSER_ROOT   the folder, absolute
 *   INTERPOSER_LOG    the log, outside of it
 *   INTERPOSER_PLAN   "kill N"          SIGKILL before step N is carried out
 *                     "half N"          the N-th write is carried out by half, then SIGKILL
 *                     "fail N ERRNO"    step N fails
 *                     "from N ERRNO"    so do all from step N on
 *                     "read N ERRNO"    the N-th opening or reading of a file fails
 *                     "clock N SECONDS" the wall clock is that much ahead from the N-th time on that it is asked
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum kind { OPEN, WRITE, SYNC, TRUNCATE, RENAME, REMOVE, FOLDER, NETWORK };
enum plan { NONE, KILL, HALF, FAIL, FROM, READ, CLOCK };

#define FDS 1024
#define NAME 256

static const char *root = "";
static int log_fd = -1;
static enum plan plan = NONE;
static long target = 0, value = 0;
static atomic_long steps = 0;
/* What the descriptors stand for: "" is none of ours. */
static char names[FDS][NAME];

#define REAL(name) ((__typeof__(&name))real(#name))

static void *real(const char *name) {
    void *found = dlsym(RTLD_NEXT, name);
    if (!found) abort();
    return found;
}

__attribute__((constructor)) static void begin(void) {
    const char *wanted = getenv("INTERPOSER_PLAN");
    const char *log = getenv("INTERPOSER_LOG");
    if (getenv("INTERPOSER_ROOT")) root = getenv("INTERPOSER_ROOT");
    /* By the system's own call: none of this is a step. */
    if (log) log_fd = (int)syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    static const char *const words[] = {"none", "kill", "half", "fail", "from", "read", "clock"};
    char word[16] = "";
    if (!wanted || sscanf(wanted, "%15s %ld %ld", word, &target, &value) < 2) return;
    for (int i = 0; i < 7; i++)
        if (!strcmp(word, words[i])) plan = (enum plan)i;
}

static void note(long number, const char *call, const char *name) {
    char line[NAME + 64];
    int length = snprintf(line, sizeof line, "%ld %s %s\n", number, call, name);
    if (log_fd >= 0) (void)!syscall(SYS_write, log_fd, line, (size_t)(length < (int)sizeof line ? length : (int)sizeof line - 1));
}

static void die(void) {
    syscall(SYS_kill, syscall(SYS_getpid), SIGKILL);
    for (;;) pause();
}

/* The name of a path relative to the root; NULL where it is not below it. */
static const char *ours(const char *path) {
    size_t length = strlen(root);
    if (!path || !length) return NULL;
    if (path[0] != '/') return path;
    return !strncmp(path, root, length) && path[length] == '/' ? path + length + 1 : NULL;
}

static const char *of(int fd) { return fd >= 0 && fd < FDS && names[fd][0] ? names[fd] : NULL; }

static void become(int fd, const char *name) {
    if (fd >= 0 && fd < FDS) snprintf(names[fd], NAME, "%s", name);
}

/* Whether a step fails with this error on a real disk: a full one still removes and opens what is there. */
static int can_fail(enum kind kind, int exists) {
    int is_full = value == ENOSPC || value == EDQUOT;
    if (kind == NETWORK) return 0;
    return !is_full || !(kind == REMOVE || (kind == OPEN && exists));
}

/* Counts a step; whether it is to fail. */
static int step(enum kind kind, const char *call, const char *name, int exists) {
    if (!name || plan == HALF || plan == READ) return 0;
    if ((plan == FAIL || plan == FROM) && !can_fail(kind, exists)) return 0;
    long number = atomic_fetch_add(&steps, 1) + 1;
    note(number, call, name);
    if (plan == KILL && number == target) die();
    if ((plan == FAIL && number == target) || (plan == FROM && number >= target)) {
        errno = (int)value;
        return 1;
    }
    return 0;
}

/* Counts a write; how many bytes of it are carried out before the process dies, or -1. */
static ssize_t half(const char *call, const char *name, size_t length) {
    if (!name || plan != HALF) return -1;
    long number = atomic_fetch_add(&steps, 1) + 1;
    note(number, call, name);
    return number == target ? (ssize_t)(length / 2) : -1;
}

static int reading(const char *call, const char *name) {
    if (!name || plan != READ) return 0;
    long number = atomic_fetch_add(&steps, 1) + 1;
    note(number, call, name);
    if (number != target) return 0;
    errno = (int)value;
    return 1;
}

static int is_file(int fd) {
    struct stat found;
    return !fstat(fd, &found) && S_ISREG(found.st_mode);
}

static int opened(int (*open_it)(int, const char *, int, mode_t), int folder, const char *path, int flags, mode_t mode) {
    const char *name = folder == AT_FDCWD || (path && path[0] == '/') ? ours(path) : NULL;
    int writes = (flags & O_ACCMODE) != O_RDONLY || (flags & (O_CREAT | O_TRUNC));
    int exists = name && syscall(SYS_faccessat, AT_FDCWD, path, F_OK) == 0;
    if (writes && step(OPEN, "open", name, exists)) return -1;
    if (!writes && !(flags & O_DIRECTORY) && reading("open", name)) return -1;
    int fd = open_it(folder, path, flags, mode);
    become(fd, name && fd >= 0 && is_file(fd) ? name : "");
    return fd;
}

static int by_openat(int folder, const char *path, int flags, mode_t mode) {
    return (int)syscall(SYS_openat, folder, path, flags, mode);
}

#define MODE                                                               \
    mode_t mode = 0;                                                       \
    if ((flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE) {           \
        va_list list;                                                      \
        va_start(list, flags);                                             \
        mode = (mode_t)va_arg(list, int);                                  \
        va_end(list);                                                      \
    }

int open(const char *path, int flags, ...) { MODE return opened(by_openat, AT_FDCWD, path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE return opened(by_openat, AT_FDCWD, path, flags, mode); }
int openat(int folder, const char *path, int flags, ...) { MODE return opened(by_openat, folder, path, flags, mode); }
int openat64(int folder, const char *path, int flags, ...) { MODE return opened(by_openat, folder, path, flags, mode); }
int creat(const char *path, mode_t mode) { return opened(by_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC, mode); }
int creat64(const char *path, mode_t mode) { return creat(path, mode); }

int close(int fd) {
    if (fd >= 0 && fd < FDS) names[fd][0] = 0;
    return REAL(close)(fd);
}

static enum kind kind_of(int fd) { return is_file(fd) ? WRITE : NETWORK; }

ssize_t write(int fd, const void *bytes, size_t length) {
    ssize_t part = half("write", of(fd), length);
    if (part >= 0) {
        (void)!REAL(write)(fd, bytes, (size_t)part);
        die();
    }
    if (of(fd) && step(kind_of(fd), "write", of(fd), 1)) return -1;
    return REAL(write)(fd, bytes, length);
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t at) {
    ssize_t part = half("write", of(fd), length);
    if (part >= 0) {
        (void)!REAL(pwrite)(fd, bytes, (size_t)part, at);
        die();
    }
    if (of(fd) && step(WRITE, "write", of(fd), 1)) return -1;
    return REAL(pwrite)(fd, bytes, length, at);
}

ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t at) { return pwrite(fd, bytes, length, at); }

ssize_t writev(int fd, const struct iovec *parts, int count) {
    /* Half of what is written in parts is its first part. */
    if (half("write", of(fd), 0) >= 0) {
        (void)!REAL(writev)(fd, parts, count > 1 ? 1 : 0);
        die();
    }
    if (of(fd) && step(kind_of(fd), "write", of(fd), 1)) return -1;
    return REAL(writev)(fd, parts, count);
}

int fsync(int fd) { return step(SYNC, "sync", of(fd), 1) ? -1 : REAL(fsync)(fd); }
int fdatasync(int fd) { return step(SYNC, "sync", of(fd), 1) ? -1 : REAL(fdatasync)(fd); }
int ftruncate(int fd, off_t length) { return step(TRUNCATE, "truncate", of(fd), 1) ? -1 : REAL(ftruncate)(fd, length); }
int ftruncate64(int fd, off64_t length) { return ftruncate(fd, length); }

int rename(const char *from, const char *to) { return step(RENAME, "rename", ours(to), 1) ? -1 : REAL(rename)(from, to); }

int renameat(int from_folder, const char *from, int to_folder, const char *to) {
    return step(RENAME, "rename", ours(to), 1) ? -1 : REAL(renameat)(from_folder, from, to_folder, to);
}

int link(const char *from, const char *to) { return step(RENAME, "link", ours(to), 1) ? -1 : REAL(link)(from, to); }
int unlink(const char *path) { return step(REMOVE, "remove", ours(path), 1) ? -1 : REAL(unlink)(path); }

int unlinkat(int folder, const char *path, int flags) {
    return step(REMOVE, "remove", ours(path), 1) ? -1 : REAL(unlinkat)(folder, path, flags);
}

int mkdir(const char *path, mode_t mode) {
    const char *name = ours(path);
    /* What is there already is answered with EEXIST by a full disk too. */
    if (name && syscall(SYS_faccessat, AT_FDCWD, path, F_OK) == 0) name = NULL;
    return step(FOLDER, "mkdir", name, 0) ? -1 : REAL(mkdir)(path, mode);
}

ssize_t read(int fd, void *bytes, size_t length) { return reading("read", of(fd)) ? -1 : REAL(read)(fd, bytes, length); }

ssize_t pread(int fd, void *bytes, size_t length, off_t at) {
    return reading("read", of(fd)) ? -1 : REAL(pread)(fd, bytes, length, at);
}

ssize_t pread64(int fd, void *bytes, size_t length, off64_t at) { return pread(fd, bytes, length, at); }

int connect(int fd, const struct sockaddr *address, socklen_t length) {
    if (address && (address->sa_family == AF_INET || address->sa_family == AF_INET6)) {
        become(fd, "a receiver");
        step(NETWORK, "connect", of(fd), 1);
    }
    return REAL(connect)(fd, address, length);
}

ssize_t send(int fd, const void *bytes, size_t length, int flags) {
    step(NETWORK, "send", of(fd), 1);
    return REAL(send)(fd, bytes, length, flags);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags) {
    step(NETWORK, "send", of(fd), 1);
    return REAL(sendmsg)(fd, message, flags);
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    int result = REAL(clock_gettime)(clock, now);
    if (clock == CLOCK_REALTIME && plan == CLOCK && !result) {
        long number = atomic_fetch_add(&steps, 1) + 1;
        note(number, "clock", "");
        if (number >= target) now->tv_sec += value;
    }
    return result;
}
