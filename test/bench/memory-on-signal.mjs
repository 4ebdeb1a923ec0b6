// Loaded into a gateway before itself: SIGUSR2 collects its garbage, and writes what is left to $BENCH_MEMORY_FILE.
import { renameSync, writeFileSync } from 'node:fs'

const file = process.env.BENCH_MEMORY_FILE

process.on('SIGUSR2', () => {
  for (let times = 0; times < 3; times++) globalThis.gc()
  writeFileSync(`${file}.part`, JSON.stringify(process.memoryUsage()))
  renameSync(`${file}.part`, file)
})
