process.stderr.write('cannot start: no licence\n')
process.exit(1)
