#include "pictures.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sodium.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "hex.h"
#include "log.h"
#include "mem.h"
#include "picture_metrics.h"
#include "thread.h"

enum {
    WAITING_MOST = 8, /* each has up to 10 MiB, and takes up to a second */
    WAIT_MOST_US =
        20 * 1000000, /* then it is refused: with the time for its making it is as long as edges wait, 60 s */
    PATIENCE_MS = 30000, /* the program's own limit is 10 s of a processor */
};

struct pictures {
    char *program;
    pthread_t thread;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t work, told;
    struct picture_job *first;
    int waiting;
    bool stopping;
    pid_t child;                                     /* the program that runs; 0: none */
    enum { NOT_TOLD, STILL_THERE, HAS_LEFT } client; /* of the job that was taken */
};

/* --- one picture --- */

static int memory_file(void) {
    return memfd_create("picture", MFD_CLOEXEC);
}

/* It inherits the two files, and nothing of what this process knows or has: no settings, no secrets, no log.
 */
static pid_t start_program(const char *program, int sent, int made) {
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    sigset_t none;
    pid_t pid;
    sigemptyset(&none);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_adddup2(&files, sent, STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&files, made, STDOUT_FILENO);
    posix_spawn_file_actions_addopen(&files, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addclosefrom_np(&files, STDERR_FILENO + 1);
    int error =
        posix_spawn(&pid, program, &files, &attributes, (char *[]){"picture", NULL}, (char *[]){NULL});
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attributes);
    errno = error;
    if (error != 0) log_warn("pictures", "cannot start %s: %m", program);
    return error == 0 ? pid : -1;
}

/* As long as it is known here, it is not waited for, and its id is nobody else's. */
static void know_child(struct pictures *pictures, pid_t pid) {
    pthread_mutex_lock(&pictures->lock);
    pictures->child = pid;
    if (pid > 0 && pictures->stopping) kill(pid, SIGKILL);
    pthread_mutex_unlock(&pictures->lock);
}

/* A process that was started ends without running the program (a library of it is missing, say) by these
 * codes. No picture is to blame for that. */
static enum picture_verdict verdict_of(int status) {
    enum { CANNOT_RUN = 126, NOT_FOUND = 127 };
    if (!WIFEXITED(status)) return PICTURE_LIMITS;
    int code = WEXITSTATUS(status);
    if (code == CANNOT_RUN || code == NOT_FOUND) return PICTURE_FAILED;
    return code < PICTURE_VERDICTS ? (enum picture_verdict)code : PICTURE_LIMITS;
}

static enum picture_verdict wait_for(struct pictures *pictures, pid_t pid) {
    know_child(pictures, pid);
    struct pollfd ended = {.fd = pidfd_open(pid, 0), .events = POLLIN};
    int status = 0, ready = 0;
    bool blind = ended.fd < 0;
    if (blind) log_warn("pictures", "cannot wait for the program: pidfd_open: %m");
    while (!blind && (ready = poll(&ended, 1, PATIENCE_MS)) < 0 && errno == EINTR)
        ;
    if (ready <= 0) kill(pid, SIGKILL);
    if (!blind) close(ended.fd);
    know_child(pictures, 0);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return blind ? PICTURE_FAILED : verdict_of(status);
}

static bool is_webp(struct str file) {
    return file.n > 12 && memcmp(file.p, "RIFF", 4) == 0 && memcmp(file.p + 8, "WEBP", 4) == 0;
}

/* The program may have been taken over by what it read: so what it wrote is looked at as what anybody sends.
 */
static bool read_made(struct picture_job *job, const char *p, size_t n) {
    if (n < sizeof job->made) return false;
    memcpy(&job->made, p, sizeof job->made);
    p += sizeof job->made;
    n -= sizeof job->made;
    if (job->made.count < 1 || job->made.count > PICTURE_SIZES) return false;
    for (uint32_t i = 0; i < job->made.count; i++) {
        job->files[i] = (struct str){p, job->made.sizes[i].bytes};
        bool sound = job->files[i].n <= n && job->made.sizes[i].height >= 1 &&
                     job->made.sizes[i].height <= UINT16_MAX && is_webp(job->files[i]);
        if (!sound) return false;
        p += job->files[i].n;
        n -= job->files[i].n;
    }
    return n == 0;
}

static void hash_files(struct picture_job *job, const char *p, size_t n) {
    uint8_t digest[sizeof job->hash / 2];
    crypto_hash_sha256(digest, (const unsigned char *)p, n);
    hex_encode(digest, sizeof digest, job->hash);
}

/* The program has ended, so nobody changes the file any more. */
static enum picture_verdict take_made(struct picture_job *job, int made) {
    struct stat file;
    if (fstat(made, &file) != 0 || file.st_size < 1) return PICTURE_FAILED;
    job->mapped_n = (size_t)file.st_size;
    job->mapped = mmap(NULL, job->mapped_n, PROT_READ, MAP_PRIVATE, made, 0);
    if (job->mapped == MAP_FAILED || !read_made(job, job->mapped, job->mapped_n)) return PICTURE_FAILED;
    hash_files(job, job->mapped, job->mapped_n);
    return PICTURE_DONE;
}

static void make(struct pictures *pictures, struct picture_job *job) {
    int made = memory_file();
    pid_t pid = made < 0 ? -1 : start_program(pictures->program, job->sent, made);
    job->verdict = pid < 0 ? PICTURE_FAILED : wait_for(pictures, pid);
    if (job->verdict == PICTURE_DONE) job->verdict = take_made(job, made);
    if (job->verdict == PICTURE_FAILED)
        log_warn("pictures", "a picture could not be made: the program failed");
    if (made >= 0) close(made);
    metric_add(job->verdict == PICTURE_DONE ? M_PICTURES_MADE : M_PICTURES_REFUSED, 1);
}

/* --- the thread --- */

static void count_waiting(struct pictures *pictures, int change) {
    pictures->waiting += change;
    metric_add(M_PICTURES_WAITING, change);
}

static struct picture_job *take(struct pictures *pictures) {
    pthread_mutex_lock(&pictures->lock);
    while (pictures->first == NULL && !pictures->stopping)
        pthread_cond_wait(&pictures->work, &pictures->lock);
    struct picture_job *job = pictures->stopping ? NULL : pictures->first;
    if (job != NULL) {
        pictures->first = job->next;
        count_waiting(pictures, -1);
        pictures->client = NOT_TOLD;
    }
    pthread_mutex_unlock(&pictures->lock);
    return job;
}

static void on_resumed(struct req *rq, void *job) {
    ((struct picture_job *)job)->then(rq);
}

static void give_up(struct picture_job *job) {
    job->late = true;
    req_resume(job->rq, on_resumed, job);
}

/* On the request's thread, which alone knows of its connection. */
static void on_turn(struct req *rq, void *arg) {
    struct picture_job *job = arg;
    struct pictures *pictures = job->pictures;
    bool left = req_left(rq);
    job->late = left;
    if (left)
        job->then(rq); /* counted and logged */
    else
        req_hold(rq);
    pthread_mutex_lock(&pictures->lock);
    pictures->client = left ? HAS_LEFT : STILL_THERE;
    pthread_cond_signal(&pictures->told);
    pthread_mutex_unlock(&pictures->lock);
}

/* Whether somebody still waits for it. false: the job is over. */
static bool is_wanted(struct pictures *pictures, struct picture_job *job) {
    if (clock_mono_us() - job->given_us > WAIT_MOST_US) {
        give_up(job);
        return false;
    }
    req_resume(job->rq, on_turn, job);
    pthread_mutex_lock(&pictures->lock);
    while (pictures->client == NOT_TOLD)
        pthread_cond_wait(&pictures->told, &pictures->lock);
    bool there = pictures->client == STILL_THERE;
    pthread_mutex_unlock(&pictures->lock);
    return there;
}

static void *run(void *arg) {
    struct pictures *pictures = arg;
    for (struct picture_job *job; (job = take(pictures)) != NULL;) {
        if (!is_wanted(pictures, job)) continue;
        make(pictures, job);
        req_resume(job->rq, on_resumed, job);
    }
    for (struct picture_job *job = pictures->first, *next; job != NULL; job = next) {
        next = job->next;
        give_up(job);
    }
    return NULL;
}

/* --- giving; the lock is held --- */

static struct picture_job **place_of(struct pictures *pictures, const struct uuid *user) {
    struct picture_job **at = &pictures->first;
    while (*at != NULL && memcmp(&(*at)->user, user, sizeof *user) != 0)
        at = &(*at)->next;
    return at;
}

/* One of each user waits: the last one, in the place of the first. So nobody takes the places of others, and
 * whoever has gone and comes again does not wait behind himself. */
static bool put_in_line(struct pictures *pictures, struct picture_job *job) {
    struct picture_job **at = place_of(pictures, &job->user), *before = *at;
    if (before == NULL && pictures->waiting == WAITING_MOST) return false;
    job->next = before == NULL ? NULL : before->next;
    *at = job;
    count_waiting(pictures, before == NULL);
    if (before != NULL) give_up(before);
    return true;
}

enum status pictures_give(struct pictures *pictures, struct picture_job *job, req_handler *then) {
    job->then = then;
    job->pictures = pictures;
    job->given_us = clock_mono_us();
    pthread_mutex_lock(&pictures->lock);
    bool room = put_in_line(pictures, job);
    if (room) {
        req_hold(job->rq);
        pthread_cond_signal(&pictures->work);
    }
    pthread_mutex_unlock(&pictures->lock);
    return room ? ST_OK : ST_FULL;
}

struct pictures *pictures_start(const char *program) {
    struct pictures *pictures = mem_alloc(sizeof *pictures);
    metrics_register(picture_metrics);
    pictures->program = mem_strdup(program);
    pthread_mutex_init(&pictures->lock, NULL);
    pthread_cond_init(&pictures->work, NULL);
    pthread_cond_init(&pictures->told, NULL);
    pictures->thread = thread_start("pictures", run, pictures);
    return pictures;
}

void pictures_free(struct pictures *pictures) {
    pthread_mutex_lock(&pictures->lock);
    pictures->stopping = true;
    if (pictures->child > 0) kill(pictures->child, SIGKILL);
    pthread_cond_signal(&pictures->work);
    pthread_mutex_unlock(&pictures->lock);
    pthread_join(pictures->thread, NULL);
    pthread_cond_destroy(&pictures->work);
    pthread_cond_destroy(&pictures->told);
    pthread_mutex_destroy(&pictures->lock);
    free(pictures->program);
    free(pictures);
}

/* --- jobs --- */

static void forget(void *arg) {
    struct picture_job *job = arg;
    if (job->sent >= 0) close(job->sent);
    if (job->mapped != NULL && job->mapped != MAP_FAILED) munmap(job->mapped, job->mapped_n);
}

static bool write_all(int fd, struct str bytes) {
    while (bytes.n > 0) {
        ssize_t written = write(fd, bytes.p, bytes.n);
        if (written <= 0) return false;
        bytes.p += written;
        bytes.n -= (size_t)written;
    }
    return true;
}

/* A copy, because the request's body goes with its client, who may leave while the picture is made. */
struct picture_job *pictures_job(struct req *rq, struct str sent) {
    struct picture_job *job = req_alloc(rq, sizeof *job);
    job->rq = rq;
    job->user = req_user(rq)->user;
    job->sent = memory_file();
    req_at_end(rq, forget, job);
    if (job->sent >= 0 && write_all(job->sent, sent)) return job;
    req_retry_after(rq, 503, 1, "There is no room for a picture right now, try again");
    return NULL;
}
