// Prints what is not the protocol on stdout, and a lot on stderr.
setInterval(() => {
  process.stdout.write('debug: still here\n{"half": \n[1,2]\n"x"\n\n')
  process.stderr.write(`${'e'.repeat(10_000)}\n`)
}, 5).unref()
await import('./good.mjs')
