/* The state machine of sessions under any sequence of requests, packets and times: it keeps its
 * invariants, and every packet that was queued comes out once, in order.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "session.h"

static void must(bool holds)
{
    if (!holds) {
        abort();
    }
}

typedef struct run {
    eio_session session;
    uint64_t now_ms;
    bool holds_get;
    uint32_t pushed, taken;
} run;

static void check(const run *r)
{
    const eio_session *session = &r->session;
    bool polls = !session->is_closed && session->transport == EIO_POLLING;
    must(!session->has_poll || polls);
    must(session->count == 0 || polls);
    must(!session->is_probed || session->has_probe);
    must(!session->has_probe || polls);
    must(session->bytes == 4 * (size_t)session->count);
    must(r->pushed - r->taken == session->count);
}

static void push(run *r)
{
    if (r->session.is_closed || r->session.transport != EIO_POLLING) {
        return;
    }
    eio_text *text = eio_text_create((const char *)&r->pushed, sizeof r->pushed);
    must(text != NULL && eio_session_push(&r->session, text));
    eio_text_release(text);
    r->pushed++;
}

static void expect_next(run *r, const char *data)
{
    uint32_t number;
    memcpy(&number, data, sizeof number);
    must(number == r->taken++);
}

static void answer(run *r, size_t most)
{
    matching_writer writer;
    matching_writer_init(&writer);
    bool any = r->session.count > 0;
    eio_session_take(&r->session, &writer, most);
    must(any ? (writer.length + 1) % 5 == 0 : writer.length == 1 && writer.data[0] == '6');
    for (size_t at = 0; any && at < writer.length; at += 5) {
        expect_next(r, writer.data + at);
    }
    matching_writer_fini(&writer);
}

static void obey(run *r, eio_action action)
{
    if (action == EIO_DO_ANSWER) {
        answer(r, 12);
    } else if (action == EIO_DO_UPGRADE) {
        for (eio_text *text; (text = eio_session_next(&r->session)) != NULL;) {
            expect_next(r, text->data);
            eio_text_release(text);
        }
    } else if (action == EIO_DO_CLOSE) {
        eio_session_end(&r->session);
        r->taken = r->pushed;
    } else if (action == EIO_DO_DROP) {
        eio_session_probe_gone(&r->session);
    }
}

static void step(run *r, uint8_t byte)
{
    static const char *const packets[] = {"0", "1", "2", "2probe", "3", "4x", "5", "6"};
    eio_packet packet;
    const char *text = packets[byte & 7];
    switch (byte >> 4) {
    case 0:
        obey(r, eio_session_poll(&r->session));
        break;
    case 1:
        obey(r, eio_session_poll_gone(&r->session));
        break;
    case 2:
        obey(r, eio_session_post(&r->session));
        break;
    case 3:
        eio_session_post_done(&r->session);
        break;
    case 4:
        obey(r, eio_session_probe(&r->session, r->now_ms));
        break;
    case 5:
    case 6:
    case 7:
        must(eio_packet_read(text, strlen(text), &packet));
        obey(r,
             eio_session_receive(&r->session, (eio_carrier)((byte >> 4) - 5), &packet, r->now_ms));
        break;
    case 8:
        r->now_ms += 1000u * (byte & 15);
        obey(r, eio_session_tick(&r->session, r->now_ms));
        break;
    case 9:
        if (eio_session_has_answer(&r->session)) {
            answer(r, byte & 15);
        }
        break;
    default:
        push(r);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const eio_terms terms = {25000, 20000, 65536};
    run r = {.now_ms = 1};
    eio_session_begin(&r.session, size > 0 && data[0] == 1 ? EIO_WEBSOCKET : EIO_POLLING, &terms,
                      r.now_ms);
    for (size_t i = 1; i < size; i++) {
        step(&r, data[i]);
        check(&r);
    }
    eio_session_end(&r.session);
    return 0;
}
