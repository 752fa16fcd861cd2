/**
 * The part of MessagePack that Lua's cmsgpack speaks. Written so that texts leave Lua as the bytes they were: there is no
 * distinction of text and bytes on that side, so whoever reads asks for the kind it expects (see codec/answer.ts).
 */
export type Packable = undefined | null | boolean | number | string | Uint8Array | readonly Packable[] | PackableMap
export interface PackableMap {
  readonly [key: string]: Packable
}

let buffer = Buffer.allocUnsafe(64 * 1024)
let length = 0

/** Packs a value. Members of objects that are undefined are left out; Lua tables cannot hold null, so send false for it. */
export function pack(value: Packable): Buffer {
  length = 0
  write(value)
  const packed = Buffer.from(buffer.subarray(0, length))
  if (buffer.length > 4 * 1024 * 1024) buffer = Buffer.allocUnsafe(64 * 1024)
  return packed
}

function room(bytes: number): void {
  if (length + bytes <= buffer.length) return
  const larger = Buffer.allocUnsafe(Math.max(buffer.length * 2, length + bytes))
  buffer.copy(larger, 0, 0, length)
  buffer = larger
}

function write(value: Packable): void {
  if (typeof value === 'string') return writeText(value)
  if (typeof value === 'number') return writeNumber(value)
  if (value === undefined || value === null) return writeByte(0xc0)
  if (typeof value === 'boolean') return writeByte(value ? 0xc3 : 0xc2)
  if (value instanceof Uint8Array) {
    writeLength(value.byteLength, 0xa0, 32, 0xda, 0xdb)
    room(value.byteLength)
    buffer.set(value, length)
    length += value.byteLength
  } else if (isList(value)) {
    writeLength(value.length, 0x90, 16, 0xdc, 0xdd)
    for (const item of value) write(item)
  } else {
    const keys = Object.keys(value)
    let size = 0
    for (const key of keys) if (value[key] !== undefined) size++
    writeLength(size, 0x80, 16, 0xde, 0xdf)
    for (const key of keys) {
      const item = value[key]
      if (item === undefined) continue
      writeText(key)
      write(item)
    }
  }
}

function isList(value: readonly Packable[] | PackableMap): value is readonly Packable[] {
  return Array.isArray(value)
}

function writeByte(byte: number): void {
  room(1)
  buffer[length++] = byte
}

/** Most texts have one byte a character. One that has more is moved when it takes a longer head. */
function writeText(text: string): void {
  room(5 + (text.length < 0x1000 ? text.length * 3 : Buffer.byteLength(text)))
  const headed = length + textHead(text.length)
  const bytes = buffer.write(text, headed)
  const at = length + textHead(bytes)
  if (at !== headed) buffer.copyWithin(at, headed, headed + bytes)
  writeLength(bytes, 0xa0, 32, 0xda, 0xdb)
  length = at + bytes
}

function textHead(bytes: number): number {
  return bytes < 32 ? 1 : bytes < 0x10000 ? 3 : 5
}

function writeLength(size: number, small: number, below: number, two: number, four: number): void {
  room(5)
  if (size < below) buffer[length++] = small | size
  else if (size < 0x10000) {
    buffer[length++] = two
    length = buffer.writeUInt16BE(size, length)
  } else {
    buffer[length++] = four
    length = buffer.writeUInt32BE(size, length)
  }
}

function writeNumber(value: number): void {
  room(9)
  if (Number.isInteger(value) && value >= 0 && value < 128) buffer[length++] = value
  else if (Number.isInteger(value) && value >= 0 && value < 0x1_0000_0000) {
    buffer[length++] = 0xce
    length = buffer.writeUInt32BE(value, length)
  } else {
    buffer[length++] = 0xcb
    length = buffer.writeDoubleBE(value, length)
  }
}

/** What a packed value is on our side: texts come as `latin1` would show their bytes unless they are asked for as UTF-8. */
export type Unpacked = null | boolean | number | Buffer | Unpacked[] | Map<string, Unpacked>

export function unpack(bytes: Buffer): Unpacked {
  return new Reader(bytes).read()
}

class Reader {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  read(): Unpacked {
    const tag = this.#bytes[this.#at++]!
    if (tag < 0x80) return tag
    if (tag < 0x90) return this.#map(tag & 15)
    if (tag < 0xa0) return this.#list(tag & 15)
    if (tag < 0xc0) return this.#slice(tag & 31)
    if (tag >= 0xe0) return tag - 256
    switch (tag) {
      case 0xc0:
        return null
      case 0xc2:
        return false
      case 0xc3:
        return true
      case 0xca:
        return this.#step(4, this.#bytes.readFloatBE(this.#at))
      case 0xcb:
        return this.#step(8, this.#bytes.readDoubleBE(this.#at))
      case 0xcc:
        return this.#uint(1)
      case 0xcd:
        return this.#uint(2)
      case 0xce:
        return this.#uint(4)
      case 0xcf:
        return this.#step(8, Number(this.#bytes.readBigUInt64BE(this.#at)))
      case 0xd0:
        return this.#step(1, this.#bytes.readInt8(this.#at))
      case 0xd1:
        return this.#step(2, this.#bytes.readInt16BE(this.#at))
      case 0xd2:
        return this.#step(4, this.#bytes.readInt32BE(this.#at))
      case 0xd3:
        return this.#step(8, Number(this.#bytes.readBigInt64BE(this.#at)))
      case 0xc4:
      case 0xd9:
        return this.#slice(this.#uint(1))
      case 0xc5:
      case 0xda:
        return this.#slice(this.#uint(2))
      case 0xc6:
      case 0xdb:
        return this.#slice(this.#uint(4))
      case 0xdc:
        return this.#list(this.#uint(2))
      case 0xdd:
        return this.#list(this.#uint(4))
      case 0xde:
        return this.#map(this.#uint(2))
      case 0xdf:
        return this.#map(this.#uint(4))
      default:
        throw new Error(`a packed value cannot begin with byte ${tag}`)
    }
  }

  #step<T>(bytes: number, value: T): T {
    this.#at += bytes
    return value
  }

  #uint(bytes: 1 | 2 | 4): number {
    return this.#step(bytes, this.#bytes.readUIntBE(this.#at, bytes))
  }

  #slice(size: number): Buffer {
    return this.#step(size, this.#bytes.subarray(this.#at, this.#at + size))
  }

  #list(size: number): Unpacked[] {
    const list: Unpacked[] = []
    for (let i = 0; i < size; i++) list.push(this.read())
    return list
  }

  #map(size: number): Map<string, Unpacked> {
    const map = new Map<string, Unpacked>()
    for (let i = 0; i < size; i++) {
      const key = this.read()
      map.set(key instanceof Buffer ? key.toString() : String(key), this.read())
    }
    return map
  }
}
