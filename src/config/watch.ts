/** Tells when the configuration may have changed on disk. Whether it did, and whether it is any good, is for others to say. */
import { watch } from 'node:fs'
import { stat } from 'node:fs/promises'
import { dirname } from 'node:path'

/** Editors and ConfigMaps write in several steps. */
const SETTLE_MS = 100

/**
 * Watches a file or directory, and calls `onChange` soon after something in its folder changed. The folder and
 * not the file, because editors and ConfigMaps put new files in the place of old ones. Returns the way to stop.
 */
export async function watchConfig(
  path: string,
  onChange: () => void,
  onError: (error: unknown) => void,
): Promise<() => void> {
  const isDirectory = await stat(path).then(
    (it) => it.isDirectory(),
    () => false,
  )
  let timer: NodeJS.Timeout | undefined
  const watcher = watch(isDirectory ? path : dirname(path), { persistent: false }, () => {
    clearTimeout(timer)
    timer = setTimeout(onChange, SETTLE_MS)
  })
  watcher.on('error', onError)
  return () => {
    clearTimeout(timer)
    watcher.close()
  }
}
