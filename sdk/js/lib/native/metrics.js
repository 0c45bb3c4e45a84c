import { need, world } from "./world.js";

const put = (name, figure) => {
  need("metrics");
  world.metrics.push([name, figure]);
};

export default { count: put, observe: put };
