/**
 * A cgroup's id to a name a person knows. The id is the inode number of its directory under cgroup v2.
 *
 * Containers: Docker's name from its own configuration where that may be read, else engine and twelve digits.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { basename, join } from 'node:path'

const depthMax = 12

/** Names by id, of all cgroups there are now. A directory that goes meanwhile is left out. */
export function cgroupNames(root: string, dockerRoot: string): Map<string, string> {
  const names = new Map<string, string>()
  const visit = (directory: string, path: string, depth: number): void => {
    let entries: string[]
    try {
      names.set(String(statSync(directory, { bigint: true }).ino), readable(path, dockerRoot))
      entries = readdirSync(directory, { withFileTypes: true })
        .filter(entry => entry.isDirectory())
        .map(entry => entry.name)
    } catch {
      return
    }
    if (depth < depthMax)
      for (const entry of entries)
        visit(join(directory, entry), path === '/' ? `/${entry}` : `${path}/${entry}`, depth + 1)
  }
  visit(root, '/', 0)
  return names
}

/** `/system.slice/docker-<64 hex>.scope`, `/docker/<64 hex>`, `…/cri-containerd-<64 hex>.scope`, `…/libpod-…` */
export function readable(path: string, dockerRoot: string): string {
  const match = /^(?:(docker|libpod|cri-containerd|crio)-)?([0-9a-f]{64})(?:\.scope)?$/.exec(basename(path))
  if (!match) return path
  const [, prefix, id = ''] = match
  const engine = prefix ?? (/\/(docker|libpod|kubepods)\b/.exec(path)?.[1] || 'container')
  if (engine === 'docker') {
    try {
      const { Name } = JSON.parse(readFileSync(join(dockerRoot, id, 'config.v2.json'), 'utf8')) as {
        Name?: string
      }
      if (Name) return `docker:${Name.replace(/^\//, '')}`
    } catch {
      // Readable by root only, or another data directory: the short id will do.
    }
  }
  return `${engine}:${id.slice(0, 12)}`
}
