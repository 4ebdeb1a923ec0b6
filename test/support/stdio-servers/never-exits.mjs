// Ignores the end of stdin and every polite signal.
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.on(signal, () => {})
setInterval(() => {}, 1_000)
await import('./good.mjs')
