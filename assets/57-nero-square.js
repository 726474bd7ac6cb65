/* NERO: the symmetries of the square and of time, exactly as backend/nero/orbits/squares.py has them.
 * Even i turns by 45·i degrees counter-clockwise, odd i by 45·(i + 1) after a flip upside down; 8 more
 * reverse time. Pixels move, none is mixed; rows go down the screen, so v of a vector points down. */
window.loupe = window.loupe || {};
(function (loupe) {
    "use strict";
    const TURNS = {left: 2, right: 6, mirror: 3, reverse: 8};

    /** The element that does what `j` and then `i` do. */
    function compose(i, j) {
        const turned = i % 2 ? i % 8 - j % 8 : i % 8 + j % 8;
        const isReversed = (i >= 8) !== (j >= 8);
        return ((turned % 8) + 8) % 8 + (isReversed ? 8 : 0);
    }

    /** The element that undoes `i`. */
    const inverse = (i) => (i % 2 ? i : i - i % 8 + (8 - i % 8) % 8);

    const isFlipped = (element) => element % 2 === 1;
    const quarters = (element) => ((isFlipped(element) ? element + 1 : element) % 8) / 2 % 4;

    /** Where the pixel that `element` brings to (row, column) was before, in a square of `size`. */
    function origin(row, column, size, element) {
        let at = [row, column];
        for (let k = quarters(element); k > 0; k--) at = [at[1], size - 1 - at[0]];
        return isFlipped(element) ? [size - 1 - at[0], at[1]] : at;
    }

    /** Values (channels, size, size) in another orientation; a channel is moved as a whole. */
    function moved(values, size, element) {
        const out = new values.constructor(values.length), area = size * size;
        for (let row = 0; row < size; row++) {
            for (let column = 0; column < size; column++) {
                const [r, c] = origin(row, column, size, element);
                for (let start = 0; start < values.length; start += area) {
                    out[start + row * size + column] = values[start + r * size + c];
                }
            }
        }
        return out;
    }

    /** Square pixels {data rgba, width, height} in another orientation. */
    function turn(image, element) {
        const {width: size, height} = image;
        if (size !== height) throw new RangeError(`Frames of ${size} × ${height} px are not square.`);
        const pixels = new Uint32Array(new Uint8ClampedArray(image.data).buffer);
        const data = new Uint8ClampedArray(moved(pixels, size, element).buffer);
        return new ImageData(data, size, size);
    }

    /** Two frames in another orientation, the later one first where time is reversed. */
    function frames([first, second], element) {
        const order = element >= 8 ? [second, first] : [first, second];
        return order.map((frame) => turn(frame, element));
    }

    /** A vector (u right, v down) in another orientation, negated where time is reversed. */
    function vector(u, v, element) {
        let [x, y] = isFlipped(element) ? [u, -v] : [u, v];
        for (let k = quarters(element); k > 0; k--) [x, y] = [y, -x];
        return element >= 8 ? [-x, -y] : [x, y];
    }

    /** A vector field (2, size, size): positions and vectors both turn, w(p) -> P w(P^-1 p). */
    function field(values, size, element) {
        const out = moved(values, size, element), area = size * size;
        for (let i = 0; i < area; i++) [out[i], out[area + i]] = vector(out[i], out[area + i], element);
        return out;
    }

    /** A point (x, y) of the unit square, y down, where `element` takes it. */
    function point(x, y, element) {
        const [u, v] = vector(x - 0.5, y - 0.5, element % 8);
        return [u + 0.5, v + 0.5];
    }

    // --- the letter F that names an orientation ----------------------------------------------------

    const F = [[[0.28, 0.9], [0.28, 0.1], [0.76, 0.1]], [[0.28, 0.48], [0.64, 0.48]]];

    /** Draw an F in its orientation into a square of `size`, with a prime where time is reversed. */
    function letter(context, x, y, size, element, colour) {
        context.save();
        Object.assign(context, {strokeStyle: colour, fillStyle: colour, lineWidth: Math.max(1.5, size * 0.14),
            lineCap: "round", lineJoin: "round"});
        context.beginPath();
        for (const line of F) {
            line.forEach(([px, py], i) => {
                const [qx, qy] = point(px, py, element);
                context[i ? "lineTo" : "moveTo"](x + qx * size, y + qy * size);
            });
        }
        context.stroke();
        if (element >= 8) {
            context.beginPath();
            context.moveTo(x + size * 1.14, y + size * 0.02);
            context.lineTo(x + size * 1.06, y + size * 0.26);
            context.stroke();
        }
        context.restore();
    }

    loupe.neroSquare = {TURNS, compose, inverse, turn, frames, field, vector, point, letter};
})(window.loupe);
