/**
 * No child outlives the gateway, `kill -9` of the gateway included. On Linux each child leads a process group of
 * its own (`setsid` from util-linux), and one small shell holds the list of groups: its stdin is a pipe from us,
 * so it hears of our death whatever the manner, and ends the groups. Elsewhere only the child itself is
 * ended, and only when we exit by ourselves.
 */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { Socket } from 'node:net'
import type { Writable } from 'node:stream'

const SETSID = ['/usr/bin/setsid', '/bin/setsid'].find(
  (path) => process.platform === 'linux' && existsSync(path),
)

/** `+ pid` adds a group, `- pid` drops one; at the end of input, what is left is ended. */
const WATCHER = `
trap '' INT TERM HUP
groups=' '
while read -r op pid; do
  case $op in
    +) groups="$groups$pid " ;;
    -) case $groups in *" $pid "*) groups="\${groups%% "$pid" *} \${groups#* "$pid" }" ;; esac ;;
  esac
done
for pid in $groups; do kill -TERM "-$pid" 2>/dev/null; done
[ "$groups" = ' ' ] || sleep 2
for pid in $groups; do kill -KILL "-$pid" 2>/dev/null; done
`

let watcher: Writable | undefined
const guarded = new Set<number>()

process.once('exit', () => {
  for (const pid of guarded) killGroup(pid)
})

/** The command line that makes the program the leader of a process group, where that can be had. */
export function ownGroupCommand(program: string, args: readonly string[]): [string, ...string[]] {
  return SETSID === undefined ? [program, ...args] : [SETSID, program, ...args]
}

/** Ends the group with us, however we end. Returns the way to stop caring for it. */
export function guardProcess(pid: number): () => void {
  guarded.add(pid)
  tellWatcher(`+ ${pid}\n`)
  return () => {
    if (guarded.delete(pid)) tellWatcher(`- ${pid}\n`)
  }
}

/** Ends what is left of a child's group; nothing happens where nothing is left. */
export function killGroup(pid: number): void {
  try {
    process.kill(SETSID === undefined ? pid : -pid, 'SIGKILL')
  } catch {
    // ESRCH: all of it has ended by itself, the usual case.
  }
}

function tellWatcher(line: string): void {
  if (SETSID === undefined) return
  if (watcher !== undefined) {
    watcher.write(line)
    return
  }
  if (guarded.size === 0) return
  const shell = spawn('/bin/sh', ['-c', WATCHER], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
    env: {},
  })
  watcher = shell.stdin
  // Somebody may end the shell; the next child starts another, which hears of all groups anew.
  const forget = (): void => {
    if (watcher === shell.stdin) watcher = undefined
  }
  shell.on('error', forget).on('exit', forget)
  shell.stdin.on('error', forget)
  // The shell must not keep us alive; its pipe breaks when we go.
  shell.unref()
  if (shell.stdin instanceof Socket) shell.stdin.unref()
  for (const pid of guarded) shell.stdin.write(`+ ${pid}\n`)
}
