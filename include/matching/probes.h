/* Probes for tracers such as bpftrace and perf: places on the way of a command, named matching:NAME
 * in the binary (USDT). One that nobody has attached to is a single instruction that does nothing.
 *
 * packaging/probes.bt is an example, docs/metrics.md lists them. Arguments are numbers that are at
 * hand. Without <sys/sdt.h> (Debian: systemtap-sdt-dev), or with -DMATCHING_PROBES=OFF, there are
 * none.
 */
#ifndef MATCHING_PROBES_H
#define MATCHING_PROBES_H

#ifdef MATCHING_HAS_PROBES
#include <sys/sdt.h>
#define MATCHING_PROBE2(name, a, b) DTRACE_PROBE2(matching, name, a, b)
#define MATCHING_PROBE3(name, a, b, c) DTRACE_PROBE3(matching, name, a, b, c)
#else
#define MATCHING_PROBE2(name, a, b) ((void)(a), (void)(b))
#define MATCHING_PROBE3(name, a, b, c) ((void)(a), (void)(b), (void)(c))
#endif

#endif
