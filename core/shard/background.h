/* Work that is nobody's hurry. */
#ifndef MATCHING_BACKGROUND_H
#define MATCHING_BACKGROUND_H

/* From now on the calling thread, and threads that it starts, run where nobody else wants the
 * processor, and leave it as soon as somebody of the same session or control group does: a niceness
 * alone lets a thread go on for milliseconds beside one that has just been woken. There is no way
 * back without privileges. */
void background_begin(void);

/* With the least of niceness's parts of a processor, also where others want all of it: for work
 * that somebody waits for in the end. */
void background_begin_awaited(void);

#endif
