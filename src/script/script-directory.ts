/** The folder of scripts that are known from the start (option scripts-dir): files *.lua, one script each. */
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';

/** More than this in one folder is a mistake: it is all kept in memory. */
const MAX_DIRECTORY_BYTES = 64 * 1024 * 1024;

/**
 * The contents of every `*.lua` in `path`, in the order of their names; not of folders in it. They are taken as they
 * are: a client's EVALSHA means the sha1 of exactly these bytes. Rejects with an Error for people that names the file.
 */
export async function readScriptDirectory(path: string): Promise<Buffer[]> {
  const names = await explained(path, readdir(path));
  const sources: Buffer[] = [];
  let bytes = 0;
  for (const name of names.filter((candidate) => candidate.endsWith('.lua')).sort()) {
    const file = join(path, name);
    bytes += (await explained(file, stat(file))).size;
    if (bytes > MAX_DIRECTORY_BYTES)
      throw new Error(`${JSON.stringify(file)} is too much: a folder may hold 64mb of scripts`);
    sources.push(await explained(file, readFile(file)));
  }
  return sources;
}

async function explained<T>(path: string, reading: Promise<T>): Promise<T> {
  try {
    return await reading;
  } catch (error) {
    throw new Error(`${JSON.stringify(path)} cannot be read: ${(error as Error).message}`, {
      cause: error,
    });
  }
}
