import { need, world } from "./world.js";

export default {
  now() {
    need("clock");
    return world.now;
  },
};
