// The form. Each kind fills `fields` and gives the function that reads the request from them.

const forms = {
  rows({ columns }) {
    const readers = columns.map((column, index) => {
      const id = `column-${index}`, properties = { id, required: !column.missing };
      const hint = column.missing ? element("span", { className: "hint" }, " (may be missing)") : "";
      const numeric = column.type === "numeric";
      const none = element("option", { value: "" }, column.missing ? "missing" : "choose …");
      const field = numeric
        ? element("input", { ...properties, type: "number", step: "any", autocomplete: "off" })
        : element("select", properties, none, ...column.categories.map((text, at) => element("option", { value: at }, text)));
      $("fields").append(element("label", { htmlFor: id }, column.name, hint), field);
      return () => {
        const value = numeric ? Number(field.value) : column.categories[field.value];
        const data = [field.value === "" ? null : value];
        return { name: column.name, shape: [1], datatype: numeric ? "FP32" : "BYTES", data };
      };
    });
    return () => JSON.stringify({ inputs: readers.map((reader) => reader()) });
  },

  pictures({ max_pixels }) {
    const input = element("input", { id: "picture", type: "file", required: true, accept: "image/jpeg,image/png,image/webp" });
    const preview = element("img", { hidden: true });
    input.setAttribute("aria-describedby", "picture-hint");
    input.onchange = () => {
      const [file] = input.files;
      URL.revokeObjectURL(preview.src);
      preview.hidden = !file;
      preview.alt = file ? `The picture ${file.name}` : "";
      if (file) preview.src = URL.createObjectURL(file);
    };
    preview.onerror = () => { preview.hidden = true; };
    const limit = (max_pixels / 1e6).toLocaleString("en");
    const hint = `JPEG, PNG or WebP, up to ${limit} million pixels. It can also be pasted.`;
    $("fields").append(element("label", { htmlFor: "picture" }, "Picture"), input,
      element("p", { id: "picture-hint", className: "hint" }, hint), preview);
    return async () => {
      const reader = new FileReader();
      await new Promise((done, failed) => {
        reader.onload = done;
        reader.onerror = () => failed(new Error("the file cannot be read"));
        reader.readAsDataURL(input.files[0]);
      });
      const file = reader.result.split(",")[1] ?? "";
      return JSON.stringify({ inputs: [{ name: "picture", shape: [1], datatype: "BYTES", data: [file] }] });
    };
  },

  texts() {
    const field = element("textarea", { id: "text", rows: 4, required: true });
    $("fields").append(element("label", { htmlFor: "text" }, "Text"), field);
    return () => JSON.stringify({ inputs: [{ name: "text", shape: [1], datatype: "BYTES", data: [field.value] }] });
  },

  tensors() {
    const example = { inputs: [{ name: "x", shape: [1, 2], datatype: "FP32", data: [1, 2] }] };
    const field = element("textarea", { id: "request", rows: 6, required: true, value: JSON.stringify(example) });
    $("fields").append(element("label", { htmlFor: "request" }, "Request of the Open Inference Protocol, in JSON"), field);
    return () => field.value;
  },
};

document.addEventListener("paste", (event) => {
  const input = $("picture"), files = event.clipboardData?.files;
  if (!input || !files?.length) return;
  event.preventDefault();
  input.files = files;
  input.dispatchEvent(new Event("change"));
  say("answer", `Pasted ${files[0].name}`);
});
