// `node --import names.mjs`: host names lead where the JSON file NAMES_FILE says, from the moment it is written on; others
// where they lead anyway.
import dns from 'node:dns'
import { readFileSync } from 'node:fs'

const { lookup } = dns

dns.lookup = (name, ...given) => {
  const address = JSON.parse(readFileSync(process.env['NAMES_FILE'], 'utf8'))[name]
  return lookup(address ?? name, ...given)
}
