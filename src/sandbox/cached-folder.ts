/**
 * A folder of the cache appears by a rename, so that it is whole whenever it is there, whoever else
 * is making it too.
 */
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import path from 'node:path';

/**
 * The folder; made first, once, when it is not there.
 * @param fill puts into `content` what the folder shall hold; `scratch` is thrown away afterwards
 */
export async function cachedFolder(
  folder: string,
  fill: (content: string, scratch: string) => Promise<void>,
): Promise<string> {
  if (existsSync(folder)) return folder;
  await mkdir(path.dirname(folder), { recursive: true });
  const scratch = await mkdtemp(`${folder}.partial-`);
  const content = path.join(scratch, 'content');
  try {
    await mkdir(content);
    await fill(content, scratch);
    // Somebody else may have been faster: then the rename fails and theirs is as good.
    await rename(content, folder).catch((error: unknown) => {
      if (!existsSync(folder)) throw error;
    });
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
  return folder;
}
