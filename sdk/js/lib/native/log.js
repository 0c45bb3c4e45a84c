import { world } from "./world.js";

export default {
  log(level, message, fields) {
    world.lines.push([level, message, fields]);
  },
};
