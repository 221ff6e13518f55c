/**
 * The version of this program: a constant, so that no file is read to know it, wherever the program was installed to. A
 * test compares it with package.json.
 */
/** As in package.json. */
export const VERSION = '0.1.0';
