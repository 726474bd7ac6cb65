/* NERO: press, drag, release, on any layout. The page hears of a moved element at most once a frame,
 * and once at the end; nothing is asked of the server in between. */
window.loupe = window.loupe || {};
(function (loupe) {
    "use strict";

    /** Follow one pointer from a press to its release. `start(event)` says whether the press is ours,
     *  `move(event)` comes at most once a frame, `end(event)` once. */
    function drag(frame, {start, move, end}) {
        let isHeld = false, latest = null, asked = 0;
        const flush = () => {
            asked = 0;
            if (latest) move(latest);
            latest = null;
        };
        frame.addEventListener("pointerdown", (event) => {
            if (event.button !== 0 || isHeld || !start(event)) return;
            isHeld = true;
            event.preventDefault();
            frame.focus({preventScroll: true});
            frame.setPointerCapture(event.pointerId);
            frame.classList.add("is-dragging");
        });
        frame.addEventListener("pointermove", (event) => {
            if (!isHeld) return;
            latest = event;
            asked = asked || requestAnimationFrame(flush);
        });
        const release = (event) => {
            if (!isHeld) return;
            isHeld = false;
            cancelAnimationFrame(asked);
            flush(); // the last word is the release
            frame.classList.remove("is-dragging");
            if (end) end(event);
        };
        frame.addEventListener("pointerup", release);
        frame.addEventListener("pointercancel", release);
    }

    /** Let a press inside `frame` choose an element and a drag move on from it. `pick(event)` is the
     *  element under the pointer, -1 for none; while dragging, none means no change. */
    function attach(frame, {pick, move, done, start}) {
        if (frame.dataset.pointer) return;
        frame.dataset.pointer = "on";
        let element = -1;
        const follow = (event) => {
            const under = pick(event);
            if (under < 0 || under === element) return;
            element = under;
            move(element);
        };
        drag(frame, {
            start(event) {
                if (start && !start(event)) return false;
                element = -1;
                follow(event);
                return element >= 0;
            },
            move: follow,
            end: () => done(element),
        });
        // Plotly would zoom or pan on the same gesture.
        frame.addEventListener("mousedown", (event) => event.stopPropagation(), true);
        frame.addEventListener("touchstart", (event) => event.stopPropagation(), true);
    }

    loupe.neroPointer = {attach, drag};
})(window.loupe);
