/* A network of the test's own: three namespaces in one process, which end with it.
 *
 *     A  10.77.1.1 (and .3)  ab ------ ba  10.77.1.2  B
 *        10.77.2.1           ac ------ ca  10.77.2.2  C
 *
 * and the same with fd77:1:: and fd77:2::. A socket belongs to the namespace in which it was made;
 * `enter` says where that will be, and where interfaces are looked up. */
#ifndef NETWORK_H
#define NETWORK_H

#include "check.h"
#include <net/if.h>
#include <sys/ioctl.h>

struct network {
    int a, b, c;
};

static inline void enter(int namespace)
{
    CHECK_EQ(setns(namespace, CLONE_NEWNET), 0);
}

/* Without rights, a user namespace gives them. */
static inline void become_root(void)
{
    static const char *const paths[] = {"/proc/self/setgroups", "/proc/self/uid_map"};
    char text[2][40] = {"deny", ""};
    snprintf(text[1], sizeof text[1], "0 %ld 1", (long)geteuid());
    if (geteuid() == 0) return;
    if (unshare(CLONE_NEWUSER) != 0) SKIP("no user namespace here: %s", strerror(errno));
    for (int i = 0; i < 2; i++) {
        int fd = open(paths[i], O_WRONLY | O_CLOEXEC);
        if (fd < 0 || write(fd, text[i], strlen(text[i])) < 0) SKIP("no rights in a user namespace: %s", strerror(errno));
        close(fd);
    }
}

/* Makes a namespace without any network, and enters it. */
static inline int new_namespace(void)
{
    if (unshare(CLONE_NEWNET) != 0) SKIP("no network namespace here: %s", strerror(errno));
    int fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    CHECK_GE(fd, 0);
    return fd;
}

static inline void shell(const char *command)
{
    int status = system(command);
    if (status != 0) FAIL("%s ended with status 0x%x", command, (unsigned)status);
}

static inline void connect_namespaces(int far, const char *near_name, const char *far_name, int net)
{
    char command[600];
    snprintf(command, sizeof command,
             "ip link add %s type veth peer name %s netns /proc/%ld/fd/%d && ip link set %s addrgenmode none && "
             "ip addr add 10.77.%d.1/24 brd + dev %s && ip addr add fd77:%d::1/64 dev %s nodad && "
             "ip addr add 10.77.%d.3/24 dev %s && ip addr add fd77:%d::3/64 dev %s nodad && ip link set %s up",
             near_name, far_name, (long)getpid(), far, near_name, net, near_name, net, near_name, net, near_name, net,
             near_name, near_name);
    shell(command);
}
static inline void set_up_far(const char *name, int net)
{
    char command[400];
    snprintf(command, sizeof command,
             "ip link set lo up && ip link set %s addrgenmode none && ip addr add 10.77.%d.2/24 brd + dev %s && ip addr add fd77:%d::2/64 dev %s nodad && "
             "ip link set %s up",
             name, net, name, net, name, name);
    shell(command);
}

/* A new link is not carried at once: until it is, what is sent is lost. */
static inline void wait_for_link(int namespace, const char *name)
{
    struct ifreq r;
    enter(namespace);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    memset(&r, 0, sizeof r);
    snprintf(r.ifr_name, sizeof r.ifr_name, "%s", name);
    do CHECK_EQ(ioctl(fd, SIOCGIFFLAGS, &r), 0);
    while ((r.ifr_flags & IFF_RUNNING) == 0 && sched_yield() == 0);
    close(fd);
}

/* Ends in A. */
static inline struct network make_network(void)
{
    struct network n;
    if (system("ip -V >/dev/null 2>&1") != 0) SKIP("there is no ip(8) to make a network with");
    if (access("/proc/sys/net/ipv6", F_OK) != 0) SKIP("this machine has no IPv6");
    become_root();
    n.b = new_namespace();
    n.c = new_namespace();
    n.a = new_namespace();
    shell("ip link set lo up");
    connect_namespaces(n.b, "ab", "ba", 1);
    connect_namespaces(n.c, "ac", "ca", 2);
    enter(n.b);
    set_up_far("ba", 1);
    enter(n.c);
    set_up_far("ca", 2);
    wait_for_link(n.b, "ba");
    wait_for_link(n.c, "ca");
    wait_for_link(n.a, "ab");
    wait_for_link(n.a, "ac");
    return n;
}
#endif
