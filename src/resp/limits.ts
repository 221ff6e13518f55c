/** Redis' own limits on what a client may declare, with the names and values of `server.h` and `networking.c`. */

/** PROTO_INLINE_MAX_SIZE: a line (inline command, `*n`, `$n`) without its end after this many bytes is refused. */
export const MAX_LINE_BYTES = 64 * 1024;

/** Redis refuses an array header beyond INT_MAX as "invalid multibulk length". */
export const MAX_MULTIBULK_LENGTH = 2_147_483_647;

/** Before authentication a command may have at most this many arguments ("unauthenticated multibulk length"). */
export const MAX_UNAUTHENTICATED_MULTIBULK_LENGTH = 10;

/** Before authentication an argument may have at most this many bytes ("unauthenticated bulk length"). */
export const MAX_UNAUTHENTICATED_BULK_BYTES = 16_384;
