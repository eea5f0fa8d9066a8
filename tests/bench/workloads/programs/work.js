// Works for ever. Given a file, it adds a byte to it after each piece of work.
const fs = require('fs')
const zlib = require('zlib')

const fib = n => n < 2 ? n : fib(n - 1) + fib(n - 2)

function encode() {
  return JSON.stringify(Array.from({length: 2000}, (_, i) => ({a: i, b: 'x' + i})))
}

function order() {
  return [...'hello world'.repeat(100)].sort().join('').match(/l+o/g)
}

class Matrix {
  constructor(size) {
    this.size = size
    this.cells = Float64Array.from({length: size * size}, (_, i) => i % 7)
  }

  multiply(other) {
    const result = new Matrix(this.size)
    for (let i = 0; i < this.size; i++) {
      for (let j = 0; j < this.size; j++) {
        let sum = 0
        for (let k = 0; k < this.size; k++) {
          sum += this.cells[i * this.size + k] * other.cells[k * this.size + j]
        }
        result.cells[i * this.size + j] = sum
      }
    }
    return result
  }
}

const done = process.argv[2] ? fs.openSync(process.argv[2], 'a') : null
const matrix = new Matrix(60)
for (;;) {
  fib(22)
  encode()
  order()
  matrix.multiply(matrix)
  zlib.deflateSync(Buffer.alloc(20000, 'ab'))
  if (done) fs.writeSync(done, '.')
}
