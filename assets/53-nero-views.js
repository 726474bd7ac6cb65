/* NERO: the input and detail views of images and classes, with the interface of all views
 * (57-nero-0-view.js): mount, show at rest, live in every frame of a drag, describe in a sentence. */
window.loupe = window.loupe || {};
(function (loupe) {
    "use strict";
    let asked = null; // the transformed image that is on its way

    const canvas = () => document.getElementById("nero-canvas");

    /** Outputs of every model at the state's element: [{values, classes}]; the exact ones off the orbit. */
    function outputsOf({item, models, element, exact}) {
        return exact || models.map((_, i) => {
            const ids = item.arrays[`class_ids_${i}`].data, values = item.arrays[`outputs_${i}`].data;
            return {classes: ids, values: values.subarray(element * ids.length, (element + 1) * ids.length)};
        });
    }

    /** Rotations are drawn here by the resampling that made the models' input; any other transform is
     *  the server's, once the cursor rests. Meanwhile the last picture stays, and says that it does. */
    function picture(state, isAtRest) {
        const {orbit, source, element, angle} = state, host = canvas();
        if (!source || !host) return;
        host.classList.remove("is-waiting");
        if (orbit.is_turned_here) {
            loupe.raster.draw(host, source, angle);
            return;
        }
        const url = loupe.orbit.inputUrl(state.item.row, element);
        if (element === orbit.identity) {
            asked = null;
            loupe.raster.draw(host, source, 0);
        } else if (!isAtRest) {
            host.classList.add("is-waiting");
        } else if (asked !== url) {
            asked = url;
            host.classList.add("is-waiting");
            loupe.raster.pixels(url).then((pixels) => { if (asked === url) arrived(host, pixels); }, failed);
        }
    }

    function arrived(host, pixels) {
        asked = null;
        host.classList.remove("is-waiting");
        loupe.raster.draw(host, pixels, 0);
    }

    function failed() {
        asked = null;
        loupe.notify({title: "No picture of this transform", message: "The server did not make it.", kind: "error"});
    }

    const caption = (state) => loupe.sprites.caption(state.item.row, state.place, outputsOf(state));
    const image = {
        height_px: 190,
        mount() { asked = null; },
        show(state) { picture(state, true); caption(state); },
        live(state) { picture(state, false); caption(state); },
        describe: (state) => `${state.item.name}, ${state.place}`,
        unmount() { asked = null; },
    };

    const bars = {
        height_px: 190,
        mount() {},
        show(state) {
            loupe.draw.moveBars("nero-detail-graph", outputsOf(state), state.truth, false);
            loupe.neroWords.describe("detail", bars.describe(state));
        },
        live(state) { loupe.draw.moveBars("nero-detail-graph", outputsOf(state), state.truth, true); },
        describe(state) {
            const told = state.models.map((model, i) => {
                const best = loupe.sprites.winner(outputsOf(state)[i]);
                return `${model.title} answers ${best.name} with ${loupe.neroWords.fixed(best.confidence)}`;
            });
            return `${state.place}: ${told.join("; ")}.`;
        },
        unmount() {},
    };

    loupe.neroInputs = Object.assign(loupe.neroInputs || {}, {image});
    loupe.neroDetails = Object.assign(loupe.neroDetails || {}, {bars});
})(window.loupe);
