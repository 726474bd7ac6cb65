/* NERO: the transformed input, drawn in the browser by the same bilinear resampling that made the
 * model's input (centre of rotation at the image centre, zeros outside, counter-clockwise), so that
 * dragging needs no request. tests/browser/test_nero_image.py compares the pixels with the server's. */
window.loupe = window.loupe || {};
(function (loupe) {
    "use strict";
    const decoded = new Map(); // url -> Promise<HTMLImageElement>

    function decode(url) {
        if (!decoded.has(url)) {
            const image = new Image();
            image.src = url;
            decoded.set(url, image.decode().then(() => image));
        }
        return decoded.get(url);
    }

    /** Pixels of a region of an image as {data: Uint8ClampedArray rgba, width, height}. */
    async function pixels(url, region) {
        const image = await decode(url);
        const {x, y, width, height} = region ||
            {x: 0, y: 0, width: image.naturalWidth, height: image.naturalHeight};
        const canvas = new OffscreenCanvas(width, height);
        const context = canvas.getContext("2d", {willReadFrequently: true});
        context.drawImage(image, x, y, width, height, 0, 0, width, height);
        return context.getImageData(0, 0, width, height);
    }

    /** Where row `row` lies in the sprite of all items. */
    function cell(atlas, row) {
        const {columns, width_px: width, height_px: height} = atlas;
        return {x: (row % columns) * width, y: Math.floor(row / columns) * height, width, height};
    }

    /** Rotate counter-clockwise by `angle` degrees: rgba in, rgba out, same size. */
    function rotate(source, angle) {
        const {width, height, data} = source;
        const out = new ImageData(width, height);
        const radians = angle * Math.PI / 180;
        // Right angles are exact by definition; cos(90°) is not quite 0 in floating point.
        const quarter = angle % 90 === 0;
        const cos = quarter ? Math.round(Math.cos(radians)) : Math.cos(radians);
        const sin = quarter ? Math.round(Math.sin(radians)) : Math.sin(radians);
        const cx = (width - 1) / 2, cy = (height - 1) / 2;
        for (let row = 0; row < height; row++) {
            for (let column = 0; column < width; column++) {
                const x = column - cx, y = cy - row;
                const sx = cos * x + sin * y + cx, sy = cy - (cos * y - sin * x);
                tap(data, width, height, sx, sy, out.data, (row * width + column) * 4);
            }
        }
        return out;
    }

    /** Bilinear value at (sx, sy), zero outside, written as opaque rgba at `target`. */
    function tap(data, width, height, sx, sy, out, target) {
        const x0 = Math.floor(sx), y0 = Math.floor(sy), fx = sx - x0, fy = sy - y0;
        let red = 0, green = 0, blue = 0;
        for (let dy = 0; dy < 2; dy++) {
            for (let dx = 0; dx < 2; dx++) {
                const x = x0 + dx, y = y0 + dy;
                if (x < 0 || y < 0 || x >= width || y >= height) continue;
                const weight = (dx ? fx : 1 - fx) * (dy ? fy : 1 - fy);
                const at = (y * width + x) * 4;
                red += weight * data[at]; green += weight * data[at + 1]; blue += weight * data[at + 2];
            }
        }
        out[target] = red; out[target + 1] = green; out[target + 2] = blue; out[target + 3] = 255;
    }

    /** Draw into a canvas at the image's own resolution; CSS scales it up, pixelated if small. */
    function draw(canvas, source, angle) {
        canvas.width = source.width;
        canvas.height = source.height;
        canvas.classList.toggle("is-photo", source.width > 64);
        canvas.getContext("2d").putImageData(angle ? rotate(source, angle) : source, 0, 0);
    }

    loupe.raster = {decode, pixels, cell, rotate, draw};
})(window.loupe);
