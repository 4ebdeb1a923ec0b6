// nginx as the practical limit: one process, connections kept on both sides, and set as docs/reliability.md sets it.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { folder, start, stop } from './processes.mjs'

const TRIES = 200
const POLL_MS = 20

/** Returns `undefined` where there is none. */
export async function startNginx(backendPort) {
  if (spawnSync('nginx', ['-v']).status !== 0) return undefined
  const own = mkdtempSync(join(folder, 'nginx-'))
  const port = await freePort()
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (it) => `${it}_temp_path ${own}/${it};`,
  )
  const settings = `
daemon off; master_process off; pid ${own}/pid; error_log stderr error;
events { worker_connections 4096; }
http {
  access_log off; client_max_body_size 8m; keepalive_requests 1000000000;
  ${temporary.join('\n  ')}
  upstream backend { server 127.0.0.1:${backendPort}; keepalive 512; keepalive_requests 1000000000; }
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass http://backend;
      proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off;
    }
  }
}`
  writeFileSync(join(own, 'nginx.conf'), settings)
  const child = start('nginx', ['-p', own, '-c', join(own, 'nginx.conf'), '-e', 'stderr'], {
    isContender: true,
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  for (let left = TRIES; ; left--) {
    const answer = await fetch(`http://127.0.0.1:${port}/`).catch(() => undefined)
    await answer?.body?.cancel()
    if (answer !== undefined) break
    if (left === 0 || child.exitCode !== null) throw new Error('nginx did not start')
    await setTimeout(POLL_MS)
  }
  return { port, pid: child.pid, pids: () => [child.pid], stop: () => stop(child) }
}

function freePort() {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address()
      server.close(() => resolve(port))
    })
  })
}
