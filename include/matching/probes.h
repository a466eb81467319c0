/* Probes for tracers such as bpftrace and perf: places on the way of a command, named matching:NAME in the
 * binary (USDT). One that nobody has attached to is a single instruction that does nothing.
 *
 * packaging/probes.bt is an example, docs/metrics.md lists them. Arguments are numbers that are at hand.
 * Without <sys/sdt.h> (Debian: systemtap-sdt-dev), or with -DMATCHING_PROBES=OFF, there are none.
 */
#ifndef MATCHING_PROBES_H
#define MATCHING_PROBES_H

#ifdef MATCHING_HAS_PROBES
#include <sys/sdt.h>
#define MATCHING_PROBE2(name, a, b) DTRACE_PROBE2(matching, name, a, b)
#define MATCHING_PROBE3(name, a, b, c) DTRACE_PROBE3(matching, name, a, b, c)
#define MATCHING_PROBE4(name, a, b, c, d) DTRACE_PROBE4(matching, name, a, b, c, d)
#else
#define MATCHING_PROBE2(name, a, b) ((void)(a), (void)(b))
#define MATCHING_PROBE3(name, a, b, c) ((void)(a), (void)(b), (void)(c))
#define MATCHING_PROBE4(name, a, b, c, d) ((void)(a), (void)(b), (void)(c), (void)(d))
#endif

#endif
